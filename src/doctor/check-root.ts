import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { LocalBackup } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { checkCluster } from '../catalog/check-cluster.js'
import { type RootLayout, rootLayout } from '../catalog/layout.js'
import { existingDirectory, openRootToCreate } from '../catalog/prepare-root.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { type CopyKind, checkDisk, imageBytes, neededBytes, sharedDiskWarning } from '../create/check-disk.js'
import { streamObstacle } from '../create/fill-packed.js'
import { PgbkError } from '../errors.js'
import { packedShare } from '../packing/packed-share.js'
import type { ServerFacts } from '../postgres/server/server-facts.js'
import { dropPrivileges, wouldMakeAsRoot } from '../privileges/drop-privileges.js'
import { silentProgress } from '../progress.js'
import { removesAnything } from '../retention/retention.js'
import { holderOf } from '../system/files/lock.js'
import { freeBytes } from '../system/files/measure.js'
import { formatBytes } from '../text/format.js'
import { shellWord } from '../text/shell-word.js'
import { type Check, failed, ok, skipped, warning } from './check.js'

interface ExaminedRoot {
  checks: Check[]
  layout: RootLayout
  /** Undefined where it cannot be used. */
  catalog: Catalog | undefined
}

/** Whether backups can be written there. Root goes on as `run_as`, for whom create makes what is missing. */
export function checkRoot({ settings: { root, run_as }, context }: Task): ExaminedRoot {
  try {
    const isMade = wouldMakeAsRoot(root, context)
    dropPrivileges({ as: 'run_as', root }, run_as, context)
    const layout = isMade ? rootLayout(root) : openRootToCreate(root, context)
    const { name } = context.user()
    const first = existsSync(layout.backups) ? '' : '; the first create makes data/backup in it'
    return {
      checks: [ok('root', `${root} can be written by ${name}${first}`)],
      layout,
      catalog: readCatalog(root),
    }
  } catch (error) {
    return { checks: [failed('root', error)], layout: rootLayout(root), catalog: undefined }
  }
}

/** Whether another one is at work, and what one that was killed has left. */
export async function checkLock(layout: RootLayout, catalog: Catalog, context: Context): Promise<Check[]> {
  const holder = await holderOf(layout.createLock, context)
  // What a create or delete was at work on that has ended since the catalogue was read.
  const isGone = (name: string) => !lstatSync(join(layout.backups, name), { throwIfNoEntry: false })
  const left = catalog.rejected.filter(({ name }) => !isGone(name))
  const partials = left.filter(({ name }) => name.endsWith('.partial'))
  const others = left.filter(({ name }) => !name.endsWith('.partial'))
  const names = (rejected: Catalog['rejected']) => rejected.map(({ name }) => name).join(', ')
  const isLeftOver =
    partials.length > 0 && holder === undefined && (await holderOf(layout.packLock, context)) === undefined
  return [
    holder === undefined
      ? ok('lock', 'free')
      : warning('lock', `held by ${holder}: a create now would end with status 4`, 'Wait for it to end.'),
    isLeftOver
      ? warning(
          'left-overs',
          `${names(partials)}: a create was killed`,
          `The next one removes it:\n  ${context.pgbk('create')}`,
        )
      : ok('left-overs', 'none'),
    ...others.map(({ name, reason }) =>
      warning(
        'left-overs',
        `${name} is not a whole backup: ${reason}`,
        `Look at it:\n  ls -la ${shellWord(join(layout.backups, name))}`,
      ),
    ),
  ]
}

/** What there is to say of a root as the place of this server's backups, and what the next one will take there. */
interface PlaceForServer {
  checks: Check[]
  neededBytes: number | undefined
}

/** Whether the root is for this cluster, on another disk, and large enough. */
export async function checkPlace(
  { layout, catalog }: ExaminedRoot,
  facts: ServerFacts,
  task: Task,
): Promise<PlaceForServer> {
  const warnings: string[] = []
  if (!catalog) return { checks: [], neededBytes: undefined }
  const checks = [checkSameCluster(catalog, facts)]
  let needed: number | undefined
  try {
    const progress = { ...silentProgress, warn: (text: string) => void warnings.push(text) }
    const kind = await nextCopy(facts, catalog, task)
    needed = kind.packed ? imageBytes(facts, kind.packed) : neededBytes(facts)
    const sharing = await checkDisk(layout, facts, progress, kind)
    if (sharing.length > 0) progress.warn(sharedDiskWarning)
    checks.push(await roomCheck(layout, catalog.backups, needed, task))
  } catch (error) {
    checks.push(failed('disk', error))
  }
  return {
    checks: [...checks, ...warnings.map((text) => warning('disk', text))],
    neededBytes: needed,
  }
}

/** As `create` makes the next one by the configuration. */
async function nextCopy(
  facts: ServerFacts,
  { backups }: Catalog,
  { settings, context }: Task,
): Promise<CopyKind> {
  if (settings.create.form !== 'packed') return { streams: false }
  const streams = await streamObstacle(facts, settings.create.wire, context).then(
    (obstacle) => obstacle === undefined,
    // That mksquashfs is missing is told by the check of packing.
    (error) => {
      if (error instanceof PgbkError && error.code === 'programs-missing') return false
      throw error
    },
  )
  return { streams, packed: packedShare(backups) }
}

function checkSameCluster(catalog: Catalog, facts: ServerFacts): Check {
  try {
    checkCluster(catalog, 'this server', facts)
    const known = catalog.backups.length > 0 ? 'that of the backups here' : 'there are no backups yet'
    return ok('cluster', `${facts.system_identifier}, ${known}`)
  } catch (error) {
    return failed('cluster', error)
  }
}

const day = 86_400_000

async function roomCheck(
  layout: RootLayout,
  made: LocalBackup[],
  needed: number,
  { settings, context }: Task,
): Promise<Check> {
  if (!existsSync(layout.root)) return skipped('disk', `needs about ${formatBytes(needed)}`)
  const free = await freeBytes(existingDirectory(layout))
  const text = `${formatBytes(free)} are free, and the next backup takes about ${formatBytes(needed)}`
  const days = removesAnything(settings.retention) ? undefined : daysUntilFull(made, free, context.now())
  if (days === undefined) return ok('disk', text)
  const growth = `${text}; at the present rate the disk is full in ${days} days unless some are pruned`
  if (days >= 14) return ok('disk', growth)
  return warning('disk', growth, 'Write a retention policy (pgbk prune --help), or let pgbk schedule prune.')
}

/** Bytes: what is free, and what the backups take. */
export async function roomIn(layout: RootLayout, { backups }: Catalog): Promise<number> {
  const taken = backups.reduce((sum, { ownBytes }) => sum + ownBytes, 0)
  return (await freeBytes(existingDirectory(layout))) + taken
}

/** By the bytes that the backups of the last two weeks have taken; undefined where there are too few of them to tell. */
function daysUntilFull(backups: LocalBackup[], free: number, now: Date): number | undefined {
  const ageOf = ({ summary }: LocalBackup) => now.getTime() - Date.parse(summary.started_at)
  const recent = backups.filter((backup) => ageOf(backup) < 14 * day)
  if (recent.length < 2) return undefined
  const span = Math.max(day, ...recent.map(ageOf))
  const bytes = recent.reduce((sum, { ownBytes }) => sum + ownBytes, 0)
  return Math.floor(free / (bytes / (span / day)))
}
