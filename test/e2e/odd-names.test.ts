import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer } from '../helpers/server.js'
import { anSshHost } from '../helpers/ssh.js'

/** No UTF-8, and the first two look alike when they are read as such; in a directory of such a name too. */
const script = `cd "$1" && printf 1 >"$(printf 'caf\\351')" && printf 22 >"$(printf 'caf\\350')" &&
  d=$(printf 'd\\377') && mkdir "$d" && printf 333 >"$d/$(printf '\\376')"`

let backup: MadeBackup
beforeAll(async () => {
  const server = await aServer({ major: anyMajor })
  await run(['sh', '-c', script, 'sh', server.data])
  backup = await aBackupOf(server)
})

/** What is in the three files below a data directory. */
function contentsOf(data: string): string[] {
  const below = (...names: number[][]) =>
    readFileSync(
      Buffer.concat([Buffer.from(data), ...names.flatMap((name) => [Buffer.from('/'), Buffer.from(name)])]),
    )
  const caf = [0x63, 0x61, 0x66]
  return [below([...caf, 0xe9]), below([...caf, 0xe8]), below([0x64, 0xff], [0xfe])].map(String)
}

const all = ['1', '22', '333']

async function succeeds(args: string[], env = {}): Promise<void> {
  const { status, stderr } = await runPgbk(args, { env })
  expect([status, stderr]).toEqual([0, expect.anything()])
}

describe('files whose names are no UTF-8', () => {
  it('are verified, and restored into a directory and as an instance, which can be deleted', async () => {
    await succeeds(['verify', '-C', backup.root])
    const target = join(await aRoot(), 'restored')
    await succeeds(['restore', '-C', backup.root, '-D', target])
    expect(contentsOf(target)).toEqual(all)
    await succeeds(['restore', '-C', backup.root, '--name', 'odd', '--no-start'])
    expect(contentsOf(join(backup.root, 'data/instances/odd/data'))).toEqual(all)
    await succeeds(['instance', 'delete', 'odd', '--yes', '-C', backup.root])
    expect(readdirSync(join(backup.root, 'data/instances'))).toEqual([])
  })

  it('are downloaded from a directory and over ssh, and removed with their backup', async () => {
    const { env } = await anSshHost()
    for (const from of [backup.root, `test:${backup.root}`]) {
      const root = await aRoot()
      await succeeds(['download', backup.record.id, '--from', from, '-C', root], env)
      const directory = join(root, 'data/backup', backup.record.id)
      expect(contentsOf(join(directory, 'snapshot/data'))).toEqual(all)
      await succeeds(['delete', backup.record.id, '--yes', '--last', '-C', root])
      expect(readdirSync(join(root, 'data/backup')).filter((name) => !name.startsWith('.'))).toEqual([])
    }
  })

  it.each(['b.tar', 'b.tar.gz'])('are in the archive %s', async (name) => {
    const [place, into] = [await aRoot(), aDirectory()]
    await succeeds(['download', backup.record.id, '--from', backup.root, '--archive', join(place, name)])
    execaSync('tar', ['-xf', join(place, name), '-C', into])
    expect(contentsOf(join(into, 'data/backup', backup.record.id, 'snapshot/data'))).toEqual(all)
  })
})
