import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { cache, localRun, nothing, remainsOf } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { anOverlay } from '../helpers/overlay-disk.js'
import { aPathWithout } from '../helpers/path-without.js'
import { program } from '../helpers/pgbk.js'
import { anyMajor, attempt, run } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'

// One form: a packed backup is not run without user namespaces (packed-faults.test.ts).

/** In it no user namespace can be made, as in many containers; the user and the file systems are the same. */
const forbidding =
  'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --ambient-caps=-all "$@"'
const nested = ['unshare', '--user', '--map-current-user', '--keep-caps', 'sh', '-c', forbidding, 'sh']

const env = { HOME: cache, XDG_CACHE_HOME: cache }
const one = ['--', 'psql', '-XAtc', 'select 1']

needs('user namespaces').describe('where no overlay can be had', () => {
  let backup: MadeBackup
  beforeAll(async () => {
    backup = await aBackupOf(await aServer({ major: anyMajor }))
  })

  const inside = (args: string[]) =>
    attempt([...nested, process.execPath, program, 'local-run', '-C', backup.root, ...args], {
      env,
    })

  it('because user namespaces are forbidden, a run copies, and says why', async () => {
    const { status, stdout, stderr } = await inside(one)
    expect({ status, stdout }).toEqual({ status: 0, stdout: '1' })
    expect(stderr).toMatch(
      /copied in full \([\d.]+ MB\): no reflink: the file system has no reflinks; no thin: /,
    )
    expect(stderr).toMatch(
      /no thin: user namespaces are forbidden here .*; no overlay: user namespaces are forbidden/,
    )
    expect(remainsOf(backup.root)).toEqual(nothing)
  })

  it('because unshare is not installed, a run copies, and says why', async () => {
    const { status, stdout, stderr } = await localRun(backup.root, one, {
      env: { PATH: aPathWithout('unshare') },
    })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '1' })
    expect(stderr).toMatch(/no overlay: .*unshare/)
  })

  it('an overlay that was asked for is refused with the reason', async () => {
    const { status, stderr } = await inside(['--working-copy', 'overlay', ...one])
    expect(status).toBe(1)
    expect(stderr).toContain('no overlay: user namespaces are forbidden here')
    expect(stderr).toContain('--working-copy')
    expect(remainsOf(backup.root)).toEqual(nothing)
  })

  describe('and the backup is larger than 1 GB', () => {
    const id = '20250101T000000Z'
    beforeAll(async () => {
      const twin = await aTwinOf(backup, id)
      const record = { ...twin.record, size_bytes: 5e9 }
      writeFileSync(join(twin.directory, 'backup.json'), JSON.stringify(record))
    })

    it('a run is refused without a terminal, and begun when it is asked for', async () => {
      const refused = await inside([id, ...one])
      expect(refused.status).toBe(2)
      expect(refused.stderr).toMatch(/full copy of 4\.7 GB would be needed: no reflink: .*; no overlay/)
      expect(refused.stderr).toContain('--working-copy copy')
      expect(remainsOf(backup.root)).toEqual(nothing)
      expect(await inside([id, '--working-copy', 'copy', ...one])).toMatchObject({ status: 0, stdout: '1' })
    })

    it.each([
      ['y', 0, true],
      ['n', 1, false],
    ])('a terminal is asked, and answers %s', async (answer, status, begun) => {
      const words = [...nested, process.execPath, program, 'local-run', '-C', backup.root, id, '--']
      const line = [...words, 'echo', 'it', 'runs'].map((word) => `'${word}'`).join(' ')
      const terminal = ['script', '-qec', line, '/dev/null']
      const ended = await attempt(terminal, { env, input: `${answer}\n`, stdin: undefined })
      expect(ended.stdout).toMatch(/Copy 4\.7 GB\?/)
      expect({ status: ended.status, begun: ended.stdout.includes('it runs') }).toEqual({ status, begun })
      expect(remainsOf(backup.root)).toEqual(nothing)
    })
  })

  const onAnOverlay = async (asRoot: boolean) => {
    const root = anOverlay()
    await run(['cp', '-a', join(backup.root, 'data'), root])
    const { status, stdout, stderr } = await localRun(root, one, { asRoot })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '1' })
    expect(stderr).toContain('no overlay: the working directory is itself an overlay')
    expect(remainsOf(root)).toEqual(nothing)
  }
  const inAContainer = () => {
    it('an ordinary user gets a copy, and is told why', () => onAnOverlay(false))
    it('root gets a copy, and is told why', () => onAnOverlay(true))
  }
  needs('root', 'mounts').describe('because the root lies in an overlay', inAContainer)
})
