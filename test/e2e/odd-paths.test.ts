import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import {
  aServer,
  fill,
  filledAnswer,
  filledRows,
  openSnapshot,
  type TestServer,
  verifies,
} from '../helpers/server.js'
import { idsIn, noTraces, tracesOf } from '../helpers/traces.js'

const names = [
  ' at both ends ',
  "it's quoted",
  'say "a:b, c=d"',
  '100% %p %f',
  'a\\=b\\',
  'back\\slash',
  'späti 東京 🐘\ntwo lines',
  '*?[a]{b,c}',
  '-D',
  '#; & | < > !',
  'x'.repeat(200),
]

describe('a root with a strange path', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    await fill(server)
  })

  it.each(names)('%j: its backup verifies, opens and can be deleted', async (name) => {
    const root = join(aDirectory('pgbk-root-'), name)
    await run(['mkdir', '--', root])
    await isWhole(root)
  })

  it.each([['$(touch PWNED)`touch PWNED`'], ["'$(touch PWNED)'"], ['";touch PWNED;"'], ["';touch PWNED;'"]])(
    '%s: nothing in it is executed',
    async (name) => {
      const parent = aDirectory('pgbk-root-')
      const pwned = join(parent, 'pwned')
      // The path of the file makes a few more directories of the name, and then holds wherever a shell would run.
      const root = join(parent, name.replaceAll('PWNED', pwned))
      await run(['mkdir', '-p', root])
      await isWhole(root)
      expect(existsSync(pwned)).toBe(false)
    },
  )

  it('that is relative counts from the current directory', async () => {
    const parent = aDirectory('pgbk-root-')
    const cwd = join(parent, "here's $HOME")
    await run(['mkdir', cwd])
    const ended = await runPgbk(['create', '-C', '.'], { env: server.env, cwd })
    expect(ended).toMatchObject({ status: 0 })
    expect(idsIn(cwd)).toHaveLength(1)
  })

  async function isWhole(root: string): Promise<void> {
    const { status, stdout, stderr } = await runPgbk(['create', '-C', root, '--json'], { env: server.env })
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringContaining('warning: the WAL') })
    const { backup } = JSON.parse(stdout)
    expect(backup.directory).toBe(join(root, 'data', 'backup', backup.id))
    expect(backup.verified).toBe(true)
    const snapshot = join(backup.directory, 'snapshot')
    expect(await verifies(snapshot, anyMajor)).toBe(true)
    expect(readdirSync(join(snapshot, 'tablespaces'))).toHaveLength(2)
    const copy = await openSnapshot(snapshot, anyMajor)
    expect(await copy.sql(filledRows, 'app')).toBe(filledAnswer)
    await copy.stop()
    expect(await tracesOf(root, server)).toEqual(noTraces)
    expect((await runPgbk(['delete', '-C', root, '--last', backup.id])).status).toBe(0)
    expect(idsIn(root)).toEqual([])
  }
})
