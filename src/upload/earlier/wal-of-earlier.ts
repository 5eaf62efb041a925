import { join } from 'node:path'
import type { BackupFiles } from '../../catalog/layout.js'
import { factsOf } from '../../errors.js'
import type { StoredObject } from '../../place/store/object-store.js'
import { v } from '../../schema.js'
import { replaceDurably } from '../../system/files/durable.js'
import { readNote } from '../../system/files/read-note.js'
import { objectsBelow } from './objects-below.js'
import type { WrappedStore } from './otherwise-wrapped.js'

/** Who can read all the WAL that lies below a prefix, by where that is. */
const schema = v.record(v.string(), v.string())

export interface WalOfEarlier {
  /** What lies there for those who are to read it, by names below the prefix: the rest is sent anew. */
  there: Map<string, StoredObject>
  /** To be called when all has been sent: removes the rest where nothing was put in its place, and notes that all can be read now. */
  settle(): Promise<void>
}

/** What uploads that did not end have sent below the prefix of a backup. For whom WAL was encrypted, only a note tells. */
export async function walOfEarlier(
  top: string,
  { objects, wrapping }: WrappedStore,
  aside: BackupFiles,
): Promise<WalOfEarlier> {
  const found = await objectsBelow(objects, top)
  const wal = [...found.keys()].filter((name) => name.startsWith('wal/'))
  const note = async (whose: string) => {
    const all = { ...readNote(schema, fileIn(aside)), [objects.locationOf(top)]: whose }
    await replaceDurably(fileIn(aside), `${JSON.stringify(all)}\n`)
  }
  const isOwn = readNote(schema, fileIn(aside))?.[objects.locationOf(top)] === wrapping.whose
  if (!wrapping.encrypts || isOwn) return { there: found, settle: async () => {} }
  // From here on it is no longer that of whoever was noted.
  await note(wal.length === 0 ? wrapping.whose : '')
  const there = new Map([...found].filter(([name]) => !wal.includes(name)))
  const settle = async () => {
    const left = wal.filter((name) => !there.has(name)).map((name) => top + name)
    await objects.remove(left).catch((error) => {
      // The same WAL in another form: no reader needs it.
      if (factsOf(error).kind !== 'access-denied') throw error
    })
    await note(wrapping.whose)
  }
  return { there, settle }
}

function fileIn({ directory }: BackupFiles): string {
  return join(directory, '.pgbk-wal-sent.json')
}
