import { chmodSync, chownSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { loadConfig } from '../../src/config/load.js'
import { aContext, thrownBy } from '../backup/samples.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'
import { aDirectoryWith, aFileIn, loadIn } from './configurations.js'

describe('a file that others could change', () => {
  it.each([0o666, 0o664, 0o646, 0o622])('is refused with mode %o', async (mode) => {
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
