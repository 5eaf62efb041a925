import { existsSync, rmSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { Settings } from '../../../src/config/load.js'
import { parseConfig } from '../../../src/config/schema.js'
import type { Context } from '../../../src/context.js'
import { silentProgress } from '../../../src/progress.js'
import { deleteInstance, startInstance } from '../../../src/restore/instance/instance-commands.js'
import { aContext, anEmptyRoot, thrownBy } from '../../catalog/samples.js'
import { aFreePort } from '../../helpers/places.js'
import { anInstance, aServerProcess } from './samples.js'

const settingsFor = (root: string) => ({ ...parseConfig({}).value, root }) as Settings
const me = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, name: 'me', home: '/' }
const contextOf = (changes: Partial<Context>) => aContext({ user: () => me, ...changes })

describe('an instance that another pgbk starts in the same moment', () => {
  it.each([{}, { port: 5433 }])('is running already: %j', async (options) => {
    const root = anEmptyRoot()
    const { data } = anInstance(root, 'staging')
    const said: string[] = []
    // It is asked for when the instance has been found.
    const user = () => {
      if (!existsSync(`${data}/postmaster.pid`)) aServerProcess(data, 'standby')
      return me
    }
    const context = contextOf({ user, progress: { ...silentProgress, say: (text) => void said.push(text) } })
    const instance = await startInstance('staging', options, { settings: settingsFor(root.root), context })
    expect(instance.pid).toBeDefined()
    expect(said).toEqual(['staging is running already.'])
  })

  it('does not get another port', async () => {
    const root = anEmptyRoot()
    const { data } = anInstance(root, 'staging')
    aServerProcess(data, 'standby')
    const port = await aFreePort()
    const start = () =>
      startInstance('staging', { port }, { settings: settingsFor(root.root), context: contextOf({}) })
    expect(await thrownBy(start)).toMatchObject({
      code: 'usage',
      message: expect.stringContaining('on port 5433'),
    })
  })
})

describe('an instance about whose deletion a question stands', () => {
  it('is not deleted when it was started before the answer', async () => {
    const root = anEmptyRoot()
    const { directory, data } = anInstance(root, 'staging')
    const ask = async () => {
      aServerProcess(data, 'standby')
      return true
    }
    const remove = () =>
      deleteInstance('staging', {}, { settings: settingsFor(root.root), context: contextOf({ ask }) })
    expect(await thrownBy(remove)).toMatchObject({
      code: 'failed',
      message: expect.stringContaining('staging is running'),
    })
    expect(existsSync(directory)).toBe(true)
  })

  it('is not found when somebody else has deleted it', async () => {
    const root = anEmptyRoot()
    const { directory } = anInstance(root, 'staging')
    const ask = async () => {
      rmSync(directory, { recursive: true })
      return true
    }
    const remove = () =>
      deleteInstance('staging', {}, { settings: settingsFor(root.root), context: contextOf({ ask }) })
    expect(await thrownBy(remove)).toMatchObject({ code: 'not-found' })
  })
})
