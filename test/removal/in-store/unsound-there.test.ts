import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { storedBackup } from '../../../src/catalog/backup.js'
import { summarize } from '../../../src/catalog/record.js'
import { directoryStore } from '../../../src/place/store/directory-store.js'
import { judgeThere } from '../../../src/removal/in-store/judge-store.js'
import { unsoundThere } from '../../../src/removal/in-store/unsound-there.js'
import { aContext, aRecord } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const now = new Date('2026-11-21T12:00:00Z')
const context = aContext({ now: () => now })

function aPackedBackup(id: string, time: string) {
  const packed = { bytes: 3, sha256: 'a'.repeat(64), snapshot_bytes: 10, uid: 1, gid: 1 }
  const times = { started_at: time, finished_at: time }
  return storedBackup(
    summarize(JSON.stringify({ ...aRecord({ id, size_bytes: 20, ...times }), format: 2, packed })),
    'whole',
  )
}

it('a record of the future, or without its files, keeps no good backup from staying in a store', async () => {
  const store = directoryStore(aDirectory(), context)
  const good = aPackedBackup('20261119T030000Z', '2026-11-19T03:00:00.000Z')
  const empty = aPackedBackup('20261120T030000Z', '2026-11-20T03:00:00.000Z')
  const ahead = aPackedBackup('20900101T000000Z', '2090-01-01T00:00:00.000Z')
  for (const { id } of [good, ahead])
    await store.put(`data/backup/${id}/snapshot.squashfs`, Buffer.from('123'))
  await store.put(`data/backup/${empty.id}/snapshot.squashfs`, Buffer.from('1'))
  const backups = [ahead, empty, good]
  const unsound = await unsoundThere(store, backups, now)
  expect([...unsound].sort()).toEqual([empty.id, ahead.id])
  const task = { settings: { time_zone: 'UTC' }, context } as unknown as Parameters<typeof judgeThere>[2]
  const judged = (without: ReadonlySet<string>) =>
    judgeThere(backups, { daily: 1, on_demand: 1 }, task, without).map(({ reasons }) =>
      reasons.map(({ rule }) => rule),
    )
  expect(judged(unsound)).toEqual([['not whole'], ['not whole'], expect.arrayContaining(['newest whole'])])
  expect(judged(new Set())[2]).toEqual([])
})

it.each([
  ['a pipe', 'mkfifo'],
  ['a directory', 'mkdir'],
])('%s in the place of an image keeps nobody from judging the others', async (_what, program) => {
  const directory = aDirectory()
  const store = directoryStore(directory, context)
  const good = aPackedBackup('20261119T030000Z', '2026-11-19T03:00:00.000Z')
  const odd = aPackedBackup('20261120T030000Z', '2026-11-20T03:00:00.000Z')
  await store.put(`data/backup/${good.id}/snapshot.squashfs`, Buffer.from('123'))
  await store.put(`data/backup/${odd.id}/backup.json`, Buffer.from('{}'))
  execaSync(program, [join(directory, 'data/backup', odd.id, 'snapshot.squashfs')])
  expect([...(await unsoundThere(store, [odd, good], now))]).toEqual([odd.id])
})
