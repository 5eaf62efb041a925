import { storedBackup } from '../../src/catalog/backup.js'
import { nextFreeId } from '../../src/catalog/id.js'
import { summarize } from '../../src/catalog/record.js'
import type { Place } from '../../src/place/contract/place.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import type { StagedInMemory } from './memory-place.js'

/** A store whose backups are staged in memory: so much of a place to write to as tests of reading need. */
export function writtenByTests(store: ObjectStore, place: Place) {
  const keyOf = (id: string, name: string) => `data/backup/${id}/${name}`
  return {
    ...place,
    stage: async (startedAt: Date): Promise<StagedInMemory> => ({
      id: nextFreeId(startedAt, () => false),
      files: new Map(),
    }),
    async publish({ id, files }: StagedInMemory, record: string) {
      for (const [name, bytes] of files) await store.put(keyOf(id, name), bytes)
      await store.put(keyOf(id, 'backup.json'), Buffer.from(record))
      return storedBackup(summarize(record), 'whole')
    },
    async remove({ id }: { id: string }) {
      await store.remove([keyOf(id, 'backup.json')])
      const left: string[] = []
      for await (const { key } of store.list(keyOf(id, ''))) left.push(key)
      await store.remove(left)
    },
  }
}
