import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execa, execaSync } from 'execa'
import { loadConfig } from '../../src/config/load.js'
import { readTrustedFile } from '../../src/config/trusted-file.js'
import { silentProgress } from '../../src/progress.js'
import { aContext, thrownBy } from '../catalog/samples.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'
import { aDirectoryWith, aFileIn, loadIn } from './configurations.js'

describe('a file that others could change', () => {
  it.each([0o666, 0o646, 0o622])('is refused with mode %o', async (mode) => {
    const cwd = aDirectoryWith({ '.pgbkrc': 'root: .' })
    chmodSync(join(cwd, '.pgbkrc'), mode)
    const error = await thrownBy(() => loadIn(cwd))
    expect(error).toMatchObject({ code: 'config', hint: expect.stringContaining('chmod go-w') })
    expect(error.message).toBe(`${join(cwd, '.pgbkrc')} can be written by others (mode ${mode.toString(8)})`)
  })

  it('is refused when it is named, too', async () => {
    const cwd = aDirectoryWith({ mine: 'root: .' })
    chmodSync(join(cwd, 'mine'), 0o666)
    expect(await thrownBy(() => loadIn(cwd, {}, { config: 'mine' }))).toMatchObject({ code: 'config' })
  })

  it('is read with mode 664 when nobody but its owner is in its group, as is usual on Debian', async () => {
    const file = join(aDirectoryWith({ '.pgbkrc': 'root: .' }), '.pgbkrc')
    chmodSync(file, 0o664)
    if (isRoot) chownSync(file, ordinaryUser.uid, ordinaryUser.gid)
    const { uid, gid } = statSync(file)
    const uids = [0, uid, ordinaryUser.uid]
    expect(readTrustedFile(file, { uids, gids: [gid] })).toBe('root: .')
    expect(await thrownBy(async () => readTrustedFile(file, { uids, gids: [] }))).toMatchObject({
      code: 'config',
    })
  })

  it('is refused when it belongs to another user', async () => {
    const cwd = aDirectoryWith({ '.pgbkrc': 'root: .' })
    if (isRoot) chownSync(join(cwd, '.pgbkrc'), ordinaryUser.uid, ordinaryUser.gid)
    const user = () => ({ uid: ordinaryUser.uid + 1, gid: ordinaryUser.gid + 1, name: 'another', home: '/' })
    const context = aContext({ cwd, env: {}, user })
    expect(await thrownBy(() => loadConfig({}, context))).toMatchObject({
      code: 'config',
      message: `${join(cwd, '.pgbkrc')} belongs to another user (uid ${ordinaryUser.uid})`,
    })
  })

  it('ends pgbk with 2', async () => {
    const cwd = aDirectoryWith({ '.pgbkrc': 'root: .' })
    chmodSync(join(cwd, '.pgbkrc'), 0o666)
    expect((await runPgbk(['list'], { cwd })).status).toBe(2)
  })
})

/** A directory of root's or the caller's, with another in it that everybody can write, and warnings that were given. */
function anOpenPlace() {
  const top = aDirectoryWith({ '.pgbkrc': 'run_as: above' })
  const open = join(top, 'open')
  aFileIn(open, '.pgbkrc.yaml', 'run_as: evil')
  aFileIn(open, 'below/x', '')
  chmodSync(open, 0o777)
  const warnings: string[] = []
  const progress = { ...silentProgress, warn: (text: string) => void warnings.push(text) }
  const load = (cwd: string, flags = {}) =>
    loadConfig(flags, aContext({ cwd, env: { HOME: '/no/such/home' }, progress }))
  return { top, open, warnings, load }
}

describe('a directory that others can write', () => {
  it('ends the search, and its configuration is ignored aloud', async () => {
    const { open, warnings, load } = anOpenPlace()
    expect(await load(open)).toMatchObject({ run_as: 'postgres', root: open })
    expect(warnings).toEqual([`${open}/.pgbkrc.yaml is ignored: ${open} can be written by others (mode 777)`])
  })

  it('ends the search for those below it, too', async () => {
    const { open, warnings, load } = anOpenPlace()
    expect(await load(join(open, 'below'))).toMatchObject({ run_as: 'postgres' })
    expect(warnings).toEqual([])
    aFileIn(open, 'below/.pgbkrc', 'run_as: evil')
    expect(await load(join(open, 'below'))).toMatchObject({ run_as: 'postgres' })
    expect(warnings).toHaveLength(1)
  })

  it('ends the search when it is sticky, though named files in it count', async () => {
    const { open, warnings, load } = anOpenPlace()
    chmodSync(open, 0o1777)
    expect(await load(join(open, 'below'))).toMatchObject({ run_as: 'postgres' })
    expect(warnings).toEqual([`${open}/.pgbkrc.yaml is ignored: everybody can put files into ${open}`])
    expect(await load('/', { config: join(open, '.pgbkrc.yaml') })).toMatchObject({ run_as: 'evil' })
    linkSync(join(open, '.pgbkrc.yaml'), join(open, 'other-name'))
    const linked = () => load('/', { config: join(open, 'other-name') })
    expect(await thrownBy(linked)).toMatchObject({
      code: 'config',
      message: expect.stringContaining('alone'),
    })
  })

  it('refuses a file that is named, with the command that mends it', async () => {
    const { open, load } = anOpenPlace()
    const file = join(open, 'below/../.pgbkrc.yaml')
    expect(await thrownBy(() => load('/', { config: file }))).toMatchObject({
      code: 'config',
      message: `${open}/.pgbkrc.yaml cannot be trusted: ${open} can be written by others (mode 777)`,
      hint: expect.stringContaining(`\n  chmod go-w ${open}`),
    })
  })
})

describe('a symbolic link', () => {
  const aLink = (target: string) => {
    const directory = aDirectoryWith({ real: 'run_as: linked' })
    symlinkSync(target, join(directory, '.pgbkrc.yaml'))
    return directory
  }

  it.each(['real', '/etc/subuid', 'nowhere'])('to %s that was found is refused', async (target) => {
    const cwd = aLink(target)
    expect(await thrownBy(() => loadIn(cwd))).toMatchObject({
      code: 'config',
      message: `${cwd}/.pgbkrc.yaml is a symbolic link`,
    })
  })

  it('that is named may be one of the caller, through directories that are trusted', async () => {
    const config = join(aLink('real'), '.pgbkrc.yaml')
    expect(await loadIn('/', {}, { config })).toMatchObject({ run_as: 'linked' })
    const { open } = anOpenPlace()
    const into = join(aLink(join(open, '.pgbkrc.yaml')), '.pgbkrc.yaml')
    expect(await thrownBy(() => loadIn('/', {}, { config: into }))).toMatchObject({ code: 'config' })
  })

  it('is not followed by what is opened, however often it changes', async () => {
    const { open, load } = anOpenPlace()
    const [file, other] = [join(open, '.pgbkrc.yaml'), join(open, 'other')]
    symlinkSync('/etc/passwd', other)
    const flipping = execa(
      'sh',
      ['-c', `while :; do mv -T ${file} ${file}x; mv -T ${other} ${file}; mv -T ${file}x ${other}; done`],
      { reject: false, stderr: 'ignore' },
    )
    try {
      for (let time = 0; time < 200; time++) expect(await load(open)).toMatchObject({ run_as: 'postgres' })
    } finally {
      flipping.kill('SIGKILL')
      await flipping
    }
  })
})

describe('what is no file', () => {
  it('is refused at once, be it a pipe, a directory, or without end', async () => {
    const directory = aDirectoryWith({})
    const pipe = join(directory, 'pipe')
    execaSync('mkfifo', ['-m', '600', pipe])
    for (const config of [pipe, directory])
      expect(await thrownBy(() => loadIn('/', {}, { config }))).toMatchObject({
        message: `${config} is not a regular file`,
      })
    const long = join(directory, 'long')
    writeFileSync(long, '')
    truncateSync(long, 2 ** 40)
    const error = await thrownBy(() => loadIn('/', {}, { config: long }))
    expect(error).toMatchObject({
      code: 'config',
      message: `${long} is larger than 1 MB, and cannot be a configuration file`,
    })
    expect(await thrownBy(() => loadIn('/', {}, { config: '/dev/zero' }))).toMatchObject({ code: 'config' })
  })

  it('is no configuration as /dev/null', async () => {
    expect(await loadIn('/', {}, { config: '/dev/null', root: '/srv' })).toMatchObject({ root: '/srv' })
  })
})

describe('a configuration is data', () => {
  /** A program text that leaves a trace where it is executed. */
  const traceIn = (directory: string) => {
    const trace = join(directory, 'executed')
    const script = `import('node:fs').then((fs) => fs.writeFileSync(${JSON.stringify(trace)}, ''))\n`
    return { script, wasExecuted: () => existsSync(trace) }
  }

  it.each(['.pgbkrc.js', '.pgbkrc.cjs', '.pgbkrc.mjs', '.pgbkrc.ts'])('%s is not looked at', async (name) => {
    const cwd = aDirectory()
    const { script, wasExecuted } = traceIn(cwd)
    aFileIn(cwd, name, script)
    const { status } = await runPgbk(['list'], { cwd })
    expect({ status, executed: wasExecuted() }).toEqual({ status: 0, executed: false })
  })

  it.each(['.pgbkrc.js', 'config.mjs', 'config.cjs', 'config.ts'])(
    '%s is not executed when named',
    async (name) => {
      const cwd = aDirectory()
      const { script, wasExecuted } = traceIn(cwd)
      aFileIn(cwd, name, script)
      const { status } = await runPgbk(['list', '--config', name], { cwd })
      expect({ status, executed: wasExecuted() }).toEqual({ status: 2, executed: false })
    },
  )

  it.each(['.config/config.js', '.config/config.cjs', '.config/config.ts'])(
    '%s of the current directory is not executed',
    async (name) => {
      const cwd = aDirectoryWith({ '.pgbkrc': 'root: .' })
      const { script, wasExecuted } = traceIn(cwd)
      aFileIn(cwd, name, script)
      const { status } = await runPgbk(['list'], { cwd })
      expect({ status, executed: wasExecuted() }).toEqual({ status: 0, executed: false })
    },
  )

  it('takes nothing in from other files, which nobody has looked at', async () => {
    const cwd = aDirectoryWith({ '.pgbkrc.yaml': '$import: ./other.yaml\n', 'other.yaml': 'run_as: other\n' })
    const error = await thrownBy(() => loadIn(cwd))
    expect(error).toMatchObject({ code: 'config', hint: expect.stringContaining('$import: unknown key') })
  })
})
