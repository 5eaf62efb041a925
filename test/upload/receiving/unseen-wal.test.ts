import { rmSync, writeFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { readCatalog } from '../../../src/catalog/catalog.js'
import { changeStoreState } from '../../../src/catalog/uploads/upload-state.js'
import { walFilesSent } from '../../../src/catalog/uploads/wal-files-sent.js'
import { walDestinations } from '../../../src/upload/receiving/wal-destinations.js'
import { noteIn, sendWal } from '../../../src/upload/send-wal.js'
import { aBackup, anEmptyRoot } from '../../catalog/samples.js'
import { alice } from '../../encryption/samples.js'
import { aDirectoryStore, context } from '../sending.js'

const [older, id] = ['20261119T030000Z', '20261120T030000Z']

/** A root whose store nobody may look into, as it is opened anew by each process. */
function aBlindSender() {
  const root = anEmptyRoot()
  const { objects, openFor } = aDirectoryStore()
  const denied = () => Promise.reject(new Error('nobody may look'))
  const unread = { ...objects, stat: denied, directoriesIn: denied, read: denied }
  const openNew = (recipients: string[]) => ({
    ...openFor(recipients, unread),
    mayRead: false,
    walSent: walFilesSent(root, 'far', context),
  })
  return {
    root,
    /** What a process that begins now sends of the newest backup's WAL: how many files, or why none. */
    async sends(recipients: string[] = []) {
      const { backups } = readCatalog(root.root)
      const [newest] = backups
      if (!newest) throw new Error('no backup')
      const store = openNew(recipients)
      const destinations = walDestinations(store, () => backups, root, context)
      await destinations.look()
      const to = await destinations.destinationOf(newest)
      if (typeof to === 'string') return to
      const there = to.summary.id
      const job = {
        archive: root.backup(newest.id).concat('/wal'),
        segmentSize: newest.summary.wal_segment_size,
        store: unread,
        prefix: `data/backup/${there}/`,
        wrapping: store.wrapping,
        asideOf: (file: string) => `${root.backups}/.pgbk-far-${file}`,
        withPartials: false,
        ...noteIn(store.walSent, there),
      }
      return { there, files: (await sendWal(job, to.files, context)).files }
    },
    hasCome: (backup: string, recipients?: string[]) =>
      changeStoreState(root, 'far', (state) => ({
        ...state,
        sent: [...state.sent, backup],
        encrypted_for: { ...state.encrypted_for, ...(recipients && { [backup]: recipients }) },
      })),
  }
}

it('WAL that nobody may look for is sent once, by the note of it, and again when that is removed', async () => {
  const { root, sends, hasCome } = aBlindSender()
  const { wal } = aBackup(root, id)
  expect(await sends()).toContain('no backup is there yet')
  await hasCome(id)
  expect(await sends()).toEqual({ there: id, files: 1 })
  expect(await sends()).toEqual({ there: id, files: 0 })
  writeFileSync(`${wal}/000000010000000000000004`, Buffer.alloc(16 << 20))
  writeFileSync(root.walFilesSent('far'), `${older} wal/000000010000000000000004.gz 1\nhalf a li`, {
    flag: 'a',
  })
  expect(await sends()).toEqual({ there: id, files: 1 })
  expect(await sends()).toEqual({ there: id, files: 0 })
  rmSync(root.walFilesSent('far'))
  expect(await sends()).toEqual({ there: id, files: 2 })
})

it('goes on to an older backup that has come, and is never put in clear beside an encrypted one', async () => {
  const { root, sends, hasCome } = aBlindSender()
  aBackup(root, older)
  aBackup(root, id)
  await hasCome(older, [alice.recipient])
  expect(await sends()).toContain(`${older} is encrypted there`)
  expect(await sends([alice.recipient])).toEqual({ there: older, files: 1 })
  await hasCome(id)
  expect(await sends()).toEqual({ there: id, files: 1 })
})
