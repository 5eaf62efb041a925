import type { LocalBackup } from '../catalog/backup.js'
import { isId } from '../catalog/id.js'
import { type RecordSummary, summarize } from '../catalog/record.js'
import { PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import { readObject } from '../place/store/read-object.js'
import { mostBytes } from '../system/files/read-small.js'
import type { OpenStore } from './open-stores.js'

/**
 * A store belongs to one cluster, that of its newest backup whose record can be read.
 * @throws {PgbkError} `wrong-cluster` for another one.
 */
export async function checkStoreCluster({ id, summary }: LocalBackup, store: OpenStore): Promise<void> {
  const newest = await newestIn(store)
  if (!newest || newest.server.system_identifier === summary.server.system_identifier) return
  const describe = ({ server }: RecordSummary) => `${server.system_identifier} (PostgreSQL ${server.version})`
  throw new PgbkError(
    'wrong-cluster',
    `${store.objects.name} holds backups of another cluster: system identifier ${describe(newest)}, backup ${id} has ${describe(summary)}`,
    {
      hint: 'Keep those of this one elsewhere: in a directory, or under a prefix, of their own. If it is the successor of the other (after pg_upgrade, or a new initdb), say so once with --new-cluster.',
    },
  )
}

async function newestIn({ objects }: OpenStore): Promise<RecordSummary | undefined> {
  const ids = (await objects.directoriesIn(keysOf.backups)).filter(isId).sort().reverse()
  for (const id of ids) {
    const record = await readObject(objects, keysOf.backup(id).record, mostBytes.record)
    const summary = record && summaryIn(record)
    if (summary?.server.system_identifier !== undefined) return summary
  }
  return undefined
}

/** Undefined where it is no record. */
export function summaryIn(record: Buffer): RecordSummary | undefined {
  try {
    return summarize(record.toString()).summary
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return undefined
    throw error
  }
}
