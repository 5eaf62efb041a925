import type { StoredBackup } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { recordFault } from '../catalog/check-cluster.js'
import { selectBackup } from '../catalog/select.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { mayLeadTo } from '../recovery/choose-backup.js'
import type { TargetPoint } from '../recovery/recovery-target.js'
import { shellWord } from '../text/shell-word.js'

/** The one that was named, else the newest from which the target may be reached. */
export function chooseElsewhere(
  catalog: Catalog<StoredBackup>,
  id: string | undefined,
  point: TargetPoint,
  { name, context }: { name: string; context: Context },
): StoredBackup {
  const packed = { ...catalog, backups: catalog.backups.filter(({ form }) => form !== 'plain') }
  const [found] = id === undefined ? candidates(catalog, point) : []
  if (found) return found
  // Which are plain is said of those that are named, and where there are no others.
  const among = id === undefined && packed.backups.length > 0 ? packed : catalog
  const chosen = selectBackup(among, id ?? 'latest', context, name)
  if (chosen.form !== 'plain') return chosen
  const from = shellWord(name)
  throw new PgbkError(
    'failed',
    `backup ${chosen.id} in ${name} is plain: only packed ones are read from elsewhere`,
    {
      hint: `Bring it here first, or pack it where it is (pgbk pack ${chosen.id}):\n  ${context.pgbk(`download ${chosen.id} --from ${from}`)}`,
    },
  )
}

/** From which a moment may be reached, the newest first; none where it is not a moment that is wanted. */
function candidates({ backups }: Catalog<StoredBackup>, point: TargetPoint): StoredBackup[] {
  if (['snapshot', 'latest'].includes(point.kind)) return []
  return backups.filter(
    (backup) =>
      backup.form !== 'plain' &&
      backup.state === 'whole' &&
      recordFault(backup) === undefined &&
      mayLeadTo(backup, point),
  )
}

export function olderOf(
  catalog: Catalog<StoredBackup>,
  { id }: StoredBackup,
  point: TargetPoint,
): StoredBackup | undefined {
  return candidates(catalog, point).find((one) => one.id < id)
}

/** Only the archive of the one that was chosen is here: whether another leads there shows when it is fetched. */
export function namingOlder(error: unknown, older: string): unknown {
  if (!(error instanceof PgbkError) || error.facts.kind !== 'target-unreachable') return error
  const { code, message, hint = '', facts } = error
  return new PgbkError(code, message, {
    hint: `${hint}\nOr try an older backup, by its id: ${older}`,
    facts,
    cause: error,
  })
}

/** The later backups in whose archives the WAL goes on, up to the first one that was only made after the target. */
export function withFurtherWal(
  { backups }: Catalog<StoredBackup>,
  chosen: StoredBackup,
  point: TargetPoint,
): StoredBackup[] {
  if (point.kind === 'snapshot') return []
  const { system_identifier: cluster } = chosen.summary.server
  const later = backups.filter(
    ({ id, summary }) => id > chosen.id && summary.server.system_identifier === cluster,
  )
  const isMoment = point.kind === 'time' || point.kind === 'lsn'
  return isMoment ? later.filter((backup) => mayLeadTo(backup, point)) : later
}
