import { truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { layoutOf } from '../../src/catalog/backup.js'
import { keysOf } from '../../src/place/store/keys.js'
import { findThere } from '../../src/upload/find-there.js'
import { sendWal, walJobOf } from '../../src/upload/send-wal.js'
import { aDirectoryStore, aPackedBackup, context, send } from './sending.js'

it.each([
  ['is right', 0, 0],
  ['is a year ahead', 365 * 86_400_000, 1],
])(
  'a segment that is written to comes again when it may have changed, where the store’s clock %s',
  async (_what, ahead, files) => {
    const { objects, openFor, directory } = aDirectoryStore()
    const what = aPackedBackup()
    const partial = join(layoutOf(what.backup).wal, '000000010000000000000004.partial')
    writeFileSync(partial, 'x')
    truncateSync(partial, what.backup.summary.wal_segment_size)
    utimesSync(partial, new Date(0), new Date(0))
    const store = openFor([], objects)
    await send(what, store)
    const sendAgain = async () => {
      const there = await findThere(what.backup, store, context)
      return sendWal(walJobOf(what.backup, store, what.aside), there?.files ?? new Map(), context)
    }
    await sendAgain()
    const key = `${keysOf.backup(what.backup.id).top}wal/000000010000000000000004.partial`
    const sent = new Date(context.now().getTime() + ahead)
    utimesSync(join(directory, key), sent, sent)
    expect(await sendAgain()).toMatchObject({ files })
  },
)
