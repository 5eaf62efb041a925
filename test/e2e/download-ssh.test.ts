import { chmodSync, existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { execaSync } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { copyOf, download, isWhole } from '../helpers/download.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, fill } from '../helpers/server.js'
import { anSshHost, anSshTo, type SshHost } from '../helpers/ssh.js'
import { entriesOf } from '../helpers/traces.js'
import { asUser } from '../helpers/users.js'

// One form: what ssh says, and what a hostile tar has; an image comes in ranges (packed-moves.test.ts).

const { describe, it } = needs('program sshd')

let backup: MadeBackup
let ssh: SshHost
beforeAll(async () => {
  ssh = await anSshHost()
  const server = await aServer({ major: anyMajor })
  await fill(server)
  backup = await aBackupOf(server, { root: await aRoot("a root's") })
})

describe('a source over ssh', () => {
  const listOf = async (from: string, env = ssh.env) => {
    const { status, stdout, stderr } = await runPgbk(['list', '--from', from, '--json'], { env })
    return { status, stderr, ...JSON.parse(stdout) }
  }

  it('whose host key is unknown is refused with the words of ssh', async () => {
    const { status, error } = await listOf(
      `test:${backup.root}`,
      ssh.envWith('-o UserKnownHostsFile=/dev/null'),
    )
    expect({ status, code: error.code }).toEqual({ status: 5, code: 'unreachable' })
    expect(error.message).toMatch(/^cannot reach test by ssh: .*Host key verification failed/)
    expect(error.hint).toMatch(/Compare the host's key once.* ssh test true$/)
  })

  it('that lets nobody in is refused with the words of ssh', async () => {
    const { status, error } = await listOf(`test:${backup.root}`, ssh.envWith('-o PubkeyAuthentication=no'))
    expect({ status, code: error.code }).toEqual({ status: 5, code: 'unreachable' })
    expect(error.message).toMatch(/^cannot reach test by ssh: .*Permission denied/)
  })

  it('that nobody answers at is unreachable', async () => {
    const { status, error } = await listOf(`test:${backup.root}`, ssh.envWith('-p 1'))
    expect({ status, code: error.code }).toEqual({ status: 5, code: 'unreachable' })
    expect(error.message).toMatch(/Connection refused/)
  })

  it('without ssh here is refused', async () => {
    const withoutSsh = aDirectory()
    chmodSync(withoutSsh, 0o755)
    symlinkSync('/usr/bin/setpriv', join(withoutSsh, 'setpriv'))
    const { status, error } = await listOf('test:/x', { PATH: withoutSsh })
    expect({ status, code: error?.code }).toEqual({ status: 1, code: 'programs-missing' })
  })

  it('with no such directory, or one that is no root, says which', async () => {
    const missing = await listOf('test:/no/such place')
    expect(missing).toMatchObject({ status: 3, error: { message: '/no/such place on test does not exist' } })
    const file = await listOf('test:/etc/passwd')
    expect(file).toMatchObject({ status: 3, error: { message: '/etc/passwd on test is not a directory' } })
    const other = await listOf(`test:${aDirectory()}`)
    expect(other.status).toBe(3)
    expect(other.error.message).toMatch(
      / on test has no data\/backup: it is not a root, or a store without backups$/,
    )
  })

  it('that may not be read says so, and where', async () => {
    const root = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, root])
    for (const [place, shown] of [
      [join(root, 'data/backup', backup.record.id), `backup ${backup.record.id}`],
      [join(root, 'data/backup'), `${root}/data/backup`],
      [root, root],
    ] as const) {
      chmodSync(place, 0o000)
      const { status, error } = await listOf(`test:${root}`)
      chmodSync(place, 0o700)
      expect({ status, code: error.code }).toEqual({ status: 1, code: 'failed' })
      expect(error.message).toMatch(new RegExp(`cannot read ${shown}.*permission denied`))
    }
  })

  it('that is half there is found out before the rest travels; from this machine, before anything is written', async () => {
    const root = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, root])
    const file = join(copyOf(backup, root), 'snapshot/data/global/pg_control')
    await run(['rm', file])
    const to = await aRoot()
    const afar = await download(`test:${root}`, to, [], { env: ssh.env })
    expect({ status: afar.status, code: afar.error.code }).toEqual({ status: 1, code: 'damaged' })
    expect(afar.error.message).toContain('is incomplete: it lacks snapshot/data/global/pg_control')
    const there = readdirSync(to, { recursive: true, encoding: 'utf8' })
    const came = there.filter((name) => /snapshot\/data\/base\/.*\d$/.test(name))
    expect(came.length).toBeLessThan(20)
    await run(['cp', '-a', join(backup.snapshot, 'data/global/pg_control'), file])
    await run(['rmdir', join(copyOf(backup, root), 'snapshot/data/pg_notify')])
    const empty = await download(`test:${root}`, to, [], { env: ssh.env })
    expect(empty.error.message).toContain('it lacks snapshot/data/pg_notify')
    await run(['rm', file])
    const here = await aRoot()
    const near = await download(root, here)
    expect({ status: near.status, code: near.error.code }).toEqual({ status: 1, code: 'damaged' })
    expect(near.error.message).toContain('is incomplete: data/global/pg_control is missing')
    expect(entriesOf(here)).toEqual([])
  })

  it('with a file that may not be read says which, and why', async () => {
    const root = await aRoot()
    await run(['cp', '-a', `${backup.root}/data`, root])
    const file = join(copyOf(backup, root), 'snapshot/data/global/pg_control')
    chmodSync(file, 0o000)
    const to = await aRoot()
    for (const _attempt of ['first', 'resumed']) {
      const { status, error } = await download(`test:${root}`, to, [], { env: ssh.env })
      expect({ status, code: error.code }).toEqual({ status: 1, code: 'failed' })
      expect(error.message).toMatch(/does not send snapshot\/data\/global\/pg_control: .*Permission denied/)
      expect(error.hint).toContain('as the user whom the backups belong to')
    }
    chmodSync(file, 0o600)
    expect(await download(`test:${root}`, to, [], { env: ssh.env })).toMatchObject({ status: 0 })
  })

  it('is found below the home there, and below ~, as scp does', async () => {
    const home =
      execaSync('getent', [
        'passwd',
        execaSync(asUser()[0] ?? 'id', [...asUser().slice(1), ...(asUser().length ? ['id'] : []), '-un'])
          .stdout,
      ]).stdout.split(':')[5] ?? ''
    const path = `..${'/..'.repeat(home.split('/').length)}${backup.root}`
    for (const from of [`test:${path}`, `test:~/${path}`, `test:./${path}`])
      expect((await listOf(from)).backups).toHaveLength(1)
  })

  it('may greet whoever logs in', async () => {
    const env = anSshTo({})
    const wrapper = `${env.PATH?.split(':')[0]}/ssh`
    const text = `#!/bin/sh\necho 'Welcome!'\nfor last; do :; done\nexec sh -c "$last"\n`
    writeFileSync(wrapper, text)
    const to = await aRoot()
    expect(await download(`test:${backup.root}`, to, [], { env })).toMatchObject({ status: 0 })
  })

  it('that is lost in the middle is an error, and what has come is kept', async () => {
    const to = await aRoot()
    const tar = `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
/usr/bin/tar "$@" | head -c 20000000
echo 'Connection to test closed by remote host.' >&2; exit 255
`
    const { status, error, stderr } = await download(`test:${backup.root}`, to, [], { env: anSshTo({ tar }) })
    expect({ status, code: error.code }).toEqual({ status: 5, code: 'unreachable' })
    expect(error.message).toMatch(/the connection to test was lost: .*closed by remote host/)
    expect(stderr).toContain('is kept in')
  })

  needs('program bsdtar', 'program busybox').it.each(['bsdtar', 'busybox'])(
    'needs no GNU: %s is enough',
    async (kind) => {
      const programs =
        kind === 'busybox'
          ? Object.fromEntries(
              ['sh', 'cat', 'find', 'tar'].map((name) => [
                name,
                `#!/bin/busybox sh\nexec /bin/busybox ${name} "$@"\n`,
              ]),
            )
          : { tar: '#!/bin/sh\nexec /usr/bin/bsdtar "$@"\n' }
      const to = await aRoot()
      const env = anSshTo(programs, kind === 'busybox')
      const { status, error } = await download(`test:${backup.root}`, to, [], { env })
      expect({ status, error }).toEqual({ status: 0, error: undefined })
      expect(await isWhole(copyOf(backup, to), anyMajor)).toBe(true)
    },
  )

  it.each([
    ['-oProxyCommand=touch /tmp/pwned:/srv', 2],
    [':/srv', 2],
    ['user@:/srv', 2],
    ['user@-oX:/srv', 2],
  ])('%s is no source', async (from, expected) => {
    const { status, error } = await listOf(from)
    expect({ status, code: error.code }).toEqual({ status: expected, code: 'usage' })
  })
})

describe('a hostile source', () => {
  /** What a tar of the other side may try to write, as GNU tar makes it from a file `evil`. */
  const attacks: [string, string][] = [
    ['a name that climbs out', `-P --transform 's,^.*$,../../../evil,' evil`],
    ['an absolute name', `-P --transform "s,^.*$,$OUT/evil," evil`],
    ['a link to write through', `link link/evil`],
    ['a link in the place of a file', `--transform 's,^link$,./snapshot/data/global/pg_control,' link`],
    ['a file in the place of the record', `--transform 's,^.*$,./backup.json,' evil`],
    ['a file that nobody asked for', `--transform 's,^.*$,./snapshot/data/pgbk-extra,' evil`],
  ]

  it.each(attacks)('that sends %s is refused, and nothing of it is written', async (_, args) => {
    const outside = await aRoot()
    const place = await aRoot()
    await run(['sh', '-c', `cd "$1" && echo evil > evil && ln -s "$2" link`, '-', place, outside])
    const tar = `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
cd '${place}' && OUT='${outside}' && mkdir -p sub
if [ -L link ]; then mkdir -p real/link; echo evil > real/link/evil; fi
${args.includes('link/evil') ? '/usr/bin/tar -cf first link; cd real && /usr/bin/tar -rf ../first link/evil; exec cat ../first' : `exec /usr/bin/tar -cf - ${args}`}
`
    const to = await aRoot()
    const { status, error } = await download(`test:${backup.root}`, to, [], { env: anSshTo({ tar }) })
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'damaged' })
    expect(error.message).toContain('which was not asked for')
    expect(readdirSync(outside)).toEqual([])
    expect(readdirSync(to)).toEqual(['data'])
    expect(entriesOf(to)).toEqual([])
    expect(existsSync(join(to, '../evil'))).toBe(false)
  })

  it.each([
    ['names that climb out', `printf './../../evil\\0'`],
    ['a link that pgbk did not make', `[ "$3" != l ] || printf './snapshot/data/base\\0'`],
  ])('that lists %s is refused', async (_, print) => {
    const find = `#!/bin/sh\n${print}\nexec /usr/bin/find "$@"\n`
    const to = await aRoot()
    const { status, error } = await download(`test:${backup.root}`, to, [], { env: anSshTo({ find }) })
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'damaged' })
    expect(entriesOf(to)).toEqual([])
  })

  it('that sends no tar at all is refused', async () => {
    const tar = `#!/bin/sh
case $* in *--version*|*/dev/null*) exec /usr/bin/tar "$@";; esac
exec head -c 5000 /dev/urandom
`
    const to = await aRoot()
    const { status, error } = await download(`test:${backup.root}`, to, [], { env: anSshTo({ tar }) })
    expect({ status, code: error.code }).toEqual({ status: 1, code: 'damaged' })
    expect(error.message).toContain('broken tar')
  })
})
