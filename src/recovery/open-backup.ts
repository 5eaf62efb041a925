import { existsSync, readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ReadableBackup, recordOf } from '../catalog/backup.js'
import { type Catalog, readCatalog } from '../catalog/catalog.js'
import { rootLayout } from '../catalog/layout.js'
import { majorOf } from '../catalog/record.js'
import { unlessRemoved } from '../catalog/removed-meanwhile.js'
import type { Task } from '../config/load.js'
import { PgbkError } from '../errors.js'
import { findDifferences } from '../postgres/local/differences.js'
import { allInstallations, findServer, type ServerPrograms } from '../postgres/programs/find-server.js'
import { checkComplete } from '../snapshot/completeness.js'
import { checkConf } from '../snapshot/conf/check-conf.js'
import { shellWord } from '../text/shell-word.js'
import type { ArchivedWal } from '../wal-archive/archived-wal.js'
import { caughtUp } from '../wal-archive/caught-up.js'
import { SegmentNotes } from '../wal-archive/notes/segment-notes.js'
import { readReceiverState } from '../wal-archive/receiver-state.js'
import { walPool } from '../wal-archive/wal-pool.js'
import type { NewTablespace } from '../wal-reading/scan-wal.js'
import { damageText } from '../wal-reading/wal-damage.js'
import { nameIn } from '../wal-segments/archive-segments.js'
import { chooseBackup } from './choose-backup.js'
import { parseRecoveryTarget, type TargetOptions, type TargetRules } from './parse-recovery-target.js'
import type { RecoveryPlan } from './recovery-plan.js'

export interface OpenOptions extends TargetOptions {
  fetchPostgres?: boolean
}

/** How a command differs from others that open a backup. */
export interface OpenRules extends TargetRules {
  /** Whether a snapshot in which a server was started will do, as long as no WAL is to be replayed. */
  mayBeOpened: boolean
  /** Whether replay may make tablespaces at the paths which they had on the server. */
  mayMakeTablespaces: boolean
  /** Whether the caller goes on while the files are still compared with the manifest, and waits for `complete` by itself. */
  comparesMeanwhile: boolean
  /** Whether all WAL on the way is read, whatever is noted of it. */
  readsAll?: boolean
  /** What there is, where that is not simply what the root has. */
  catalog?: Catalog | undefined
}

/** A backup, the way to the recovery target, and the programs for it. */
export interface OpenedBackup {
  /** Settled when all its files are known to be there. @throws {PgbkError} `damaged` when they are not; `not-found`. */
  complete: Promise<void>
  backup: ReadableBackup
  recovery: RecoveryPlan
  programs: ServerPrograms
}

/**
 * Finds the backup that leads to a recovery target, and checks all that can be checked before anything is written; says what will be
 * different here.
 * @param id as the user wrote it; undefined when none was named.
 * @throws {PgbkError} `usage`, `not-found`, `programs-missing` or `damaged`.
 */
export async function openBackup(
  id: string | undefined,
  options: OpenOptions,
  rules: OpenRules,
  task: Task,
): Promise<OpenedBackup> {
  const { settings, context } = task
  const { progress } = context
  const target = parseRecoveryTarget(options, rules, task)
  const installations = await allInstallations(settings.bin_dir, context)
  const mayBeOpened = rules.mayBeOpened && target.point.kind === 'snapshot'
  const catalog = rules.catalog ?? readCatalog(settings.root)
  const layout = rootLayout(settings.root)
  const receiver = readReceiverState(layout)
  const choice = {
    ...{ catalog, id, target, installations, mayBeOpened },
    pool: walPool(catalog),
    notes: rules.readsAll ? undefined : new SegmentNotes(layout.backups),
    caughtUp: (wal: ArchivedWal) => caughtUp(wal, receiver, context.now()),
  }
  if (target.point.kind !== 'snapshot') progress.step('looking at the WAL archive')
  const { backup, plan: recovery } = await chooseBackup(choice, context)
  checkNewTablespaces(recovery.newTablespaces, { mayWrite: rules.mayMakeTablespaces })
  const mayFetch = options.fetchPostgres ?? false
  const programs = await findServer(majorOf(recordOf(backup)), installations, mayFetch, context)
  const complete = unlessRemoved(backup, context, () => checkComplete(backup, context.signal))
  complete.catch(() => {}) // whoever waits for it is told
  const [differences] = await Promise.all([
    findDifferences(recordOf(backup), programs.bin, context),
    rules.comparesMeanwhile ? undefined : complete,
  ])
  await unlessRemoved(backup, context, async () => checkConf(backup)).catch(async (error) => {
    await complete // a file that is missing is told as that
    throw error
  })
  for (const difference of [...differences, ...doubts(recovery)]) progress.warn(difference)
  return { backup, recovery, programs, complete }
}

/** What is strange about the archive, though the target can be reached. */
function doubts(recovery: RecoveryPlan): string[] {
  return [...replacedCopies(recovery), ...(recovery.target.point.kind === 'latest' ? atTheEnd(recovery) : [])]
}

function atTheEnd({ gap, unfinished }: RecoveryPlan): string[] {
  return [
    ...(gap
      ? [`the WAL archive is broken: ${gap.missing}: ${gap.reason}; what comes after it is not replayed`]
      : []),
    ...(unfinished
      ? [`the last segment of the WAL archive, ${unfinished}, is not finished: was it cut off?`]
      : []),
  ]
}

/** What is damaged in one archive, and replayed from another. */
function replacedCopies({ archive, recovery }: RecoveryPlan): string[] {
  return [...(archive?.replaced ?? [])].flatMap(([path, reason]) => {
    const name = nameIn(path)
    const taken = archive?.chain.find((one) => one.name === name)
    if (!taken || !recovery || taken.segment > recovery.lastSegment) return []
    const instead =
      taken.directory === dirname(path) ? `${taken.file} beside it` : `the copy in ${taken.directory}`
    return [`${damageText(name, dirname(path), reason)}; ${instead} is used`]
  })
}

/**
 * Replay makes a tablespace at the path that it had on the server, and empties what is there (13) or writes into it: on the server's
 * own machine its live files.
 * @param mayWrite whether it may do so where there is an empty directory.
 * @throws {PgbkError} `failed`.
 */
export function checkNewTablespaces(tablespaces: NewTablespace[], { mayWrite }: { mayWrite: boolean }): void {
  for (const { lsn, path } of tablespaces) {
    const isThere = existsSync(path)
    if (mayWrite && isThere && readdirSync(path).length === 0) continue
    const obstacle = !mayWrite ? outside : isThere ? inUse : notThere(path)
    throw new PgbkError('failed', `the WAL to be replayed creates a tablespace in ${path}${obstacle.state}`, {
      hint: `${obstacle.ways} A moment before that can be reached:  --to-lsn ${lsn} --exclusive`,
    })
  }
}

const later = 'A backup that was made later has the tablespace in it.'

const outside = {
  state: '',
  ways: `Replay would write to that path, outside of the working copy: pgbk restore can do that, on another machine. ${later}`,
}

const inUse = {
  state: ', which is in use on this machine',
  ways: `Replay would write into those files, on the server itself into its own. ${later}`,
}

const notThere = (path: string) => ({
  state: ', which is not there on this machine',
  ways: `If replay may write there, make an empty directory for it:  install -d -m 700 -o postgres ${shellWord(path)}\n${later}`,
})
