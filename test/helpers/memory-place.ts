import { Header } from 'tar'
import { type StoredBackup, storedBackup } from '../../src/catalog/backup.js'
import { nextFreeId } from '../../src/catalog/id.js'
import { summarize } from '../../src/catalog/record.js'
import { PgbkError } from '../../src/errors.js'
import { archiveNames, checkListing } from '../../src/place/contract/listing.js'
import type { Staged, WritablePlace } from '../../src/place/contract/place.js'
import type { BytePath } from '../../src/system/paths/byte-path.js'

export interface StagedInMemory extends Staged {
  files: Map<BytePath, Buffer>
}

type Kept = StagedInMemory & { record: Buffer }

/** What a store would be: it has no directories, and nothing that can be renamed. */
export function memoryPlace(): WritablePlace<StoredBackup, StagedInMemory> {
  const staged = new Set<StagedInMemory>()
  const backups = new Map<string, Kept>()
  const leases = new Map<string, { purpose: string; end: Promise<unknown> }>()
  const find = ({ id }: StoredBackup) => backups.get(id) ?? gone(`backup ${id}`)
  return {
    name: 'memory',
    directory: undefined,
    locationOf: (id) => `memory/data/backup/${id}`,
    async list() {
      const found = [...backups.values()].map(({ record }) =>
        storedBackup(summarize(String(record)), 'whole'),
      )
      return { root: 'memory', backups: found.sort((a, b) => (a.id < b.id ? 1 : -1)), rejected: [] }
    },
    readRecord: async (backup) => find(backup).record,
    async files(backup) {
      const files = [...find(backup).files.keys()]
      const directories = new Set(files.flatMap(parentsOf))
      return checkListing({ directories: [...directories], files, links: [] }, 'memory')
    },
    async read(backup, name, { from, length }, take) {
      const bytes = find(backup).files.get(name) ?? gone(name)
      return take(
        (async function* () {
          const wanted = bytes.subarray(from, length === undefined ? undefined : from + length)
          if (wanted.length > 0) yield wanted
        })(),
      )
    },
    async transfer(backup, names, writer) {
      for (const name of names) {
        const bytes = find(backup).files.get(name)
        if (!bytes) continue
        const file = writer.begin(name, new Date())
        file.write(bytes)
        file.finish()
      }
      return ''
    },
    async archive(backup, listing, take) {
      const { files, record } = find(backup)
      const names = archiveNames(backup.id, listing)
      await take(tarOf(names, new Map([...files, ['backup.json' as BytePath, record]]), backup.id))
      return ''
    },
    async stage(startedAt) {
      const taken = new Set([...staged, ...backups.values()].map(({ id }) => id))
      const one = { id: nextFreeId(startedAt, (id) => taken.has(id)), files: new Map() }
      staged.add(one)
      return one
    },
    async publish(one, record, check) {
      await check()
      staged.delete(one)
      backups.set(one.id, { ...one, record: Buffer.from(record) })
      return storedBackup(summarize(record), 'whole')
    },
    discard: async (one) => void staged.delete(one),
    async remove(backup, last) {
      find(backup)
      backups.delete(backup.id)
      await last?.()
    },
    async lease(kind, { purpose, wait }, context, work) {
      for (let held = leases.get(kind); held; held = leases.get(kind)) {
        if (!wait) throw new PgbkError('locked', `${held.purpose} is running`)
        await held.end
      }
      const working = (async () => work(context, { check: async () => {} }))()
      const end = working.catch(() => {}).finally(() => leases.delete(kind))
      leases.set(kind, { purpose, end })
      return working
    },
  }
}

function gone(what: string): never {
  throw new PgbkError('not-found', `${what} is gone`)
}

function parentsOf(name: BytePath): BytePath[] {
  const parts = name.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/') as BytePath)
}

async function* tarOf(names: BytePath[], files: ReadonlyMap<BytePath, Buffer>, id: string) {
  for (const path of names) {
    const bytes = files.get(path.replace(`data/backup/${id}/`, '') as BytePath)
    const block = Buffer.alloc(512)
    const type = bytes ? ({ type: 'File' } as const) : ({ type: 'Directory' } as const)
    new Header({ path, mode: 0o700, size: bytes?.length ?? 0, mtime: new Date(), ...type }).encode(block)
    yield block
    if (bytes) yield Buffer.concat([bytes, Buffer.alloc(-bytes.length & 511)])
  }
  yield Buffer.alloc(1024)
}
