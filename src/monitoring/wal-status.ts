import { type LocalBackup, layoutOf } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { clusterOf } from '../catalog/check-cluster.js'
import { rootLayout } from '../catalog/layout.js'
import type { Task } from '../config/load.js'
import type { Context, PrintedCommand } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { findClient } from '../postgres/server/connect-to-server.js'
import { askWalServer, type SlotFacts, type WalServerFacts } from '../postgres/server/wal-server.js'
import { type ArchivedWal, readArchivedWal } from '../wal-archive/archived-wal.js'
import { type ReceiverState, readReceiverState } from '../wal-archive/receiver-state.js'
import { findWindows } from '../wal-coverage/find-window.js'
import type { BackupWindow } from '../wal-coverage/window.js'
import {
  keptForSlot,
  type ReceiverHealth,
  receiverHealth,
  slotHealth,
  slotLimitProblem,
  slotProblem,
} from './receiver-health.js'
import { type StoreHealth, storesHealth, storeWalProblems } from './store-health.js'

export interface ArchiveStatus {
  backup: LocalBackup
  wal: ArchivedWal
  window: BackupWindow
}

export interface WalStatus {
  root: string
  slotName: string
  archives: ArchiveStatus[]
  receiver: ReceiverState | undefined
  receiverHealth: ReceiverHealth
  /** Undefined when it does not answer. */
  server: WalServerFacts | undefined
  /** Those of the configuration, and how much of the WAL they have. */
  stores: StoreHealth[]
  /** What somebody should look at. */
  warnings: string[]
}

const answerMs = 20_000

/** What the WAL archives cover, and how the receiver and its slot are. Also without the server. */
export async function walStatus(flags: ConnectionFlags, task: Task): Promise<WalStatus> {
  const { settings, context } = task
  const catalog = readCatalog(settings.root)
  const finder = findWindows(settings, catalog, context)
  const archives: ArchiveStatus[] = []
  for (const backup of catalog.backups) {
    const wal = archiveOf(backup)
    const window = await finder.windowOf(backup)
    if (window) archives.push({ backup, wal, window })
  }
  const receiver = readReceiverState(rootLayout(settings.root))
  const slotName = receiver?.slot ?? settings.wal.slot
  const { server, failure } = await ask(flags, slotName, task)
  const health = receiverHealth(receiver, context.now())
  const ids = new Set(catalog.backups.map(({ id }) => id))
  const stores = storesHealth(settings, rootLayout(settings.root), ids, context.now())
  const status = { root: settings.root, slotName, archives, receiver, receiverHealth: health, server, stores }
  const ofStores = storeWalProblems(stores, health).map(({ text }) => text)
  return {
    ...status,
    warnings: [...(failure ? [failure] : []), ...warningsOf(status, context), ...ofStores],
  }
}

/** What is no archive has no segments; its window says why. */
function archiveOf(backup: LocalBackup): ArchivedWal {
  const layout = layoutOf(backup)
  try {
    return readArchivedWal(layout.wal, backup.summary)
  } catch (error) {
    if (!(error instanceof PgbkError && error.code === 'damaged')) throw error
    const empty = {
      runs: [],
      chain: [],
      gap: undefined,
      timelines: [],
      histories: new Map(),
      faults: [],
    }
    return { directory: layout.wal, segmentSize: backup.summary.wal_segment_size, ...empty }
  }
}

async function ask(flags: ConnectionFlags, slot: string, { settings, context }: Task) {
  try {
    const { psql } = await findClient(flags, settings, 'pgbk_wal_status', context)
    return { server: await askWalServer({ ...psql, timeoutMs: answerMs }, slot), failure: undefined }
  } catch (error) {
    context.signal.throwIfAborted()
    const isTheServer =
      error instanceof PgbkError && ['unreachable', 'refused', 'programs-missing'].includes(error.code)
    if (!isTheServer) throw error
    return { server: undefined, failure: `the server was not asked: ${messageOf(error)}` }
  }
}

type Findings = Omit<WalStatus, 'warnings'>

function warningsOf(status: Findings, { pgbk }: Context): string[] {
  return [...receiverWarnings(status, pgbk), ...slotWarnings(status, pgbk), ...archiveWarnings(status, pgbk)]
}

function receiverWarnings({ receiver, receiverHealth }: Findings, pgbk: PrintedCommand): string[] {
  if (!receiver) return [`no receiver has run here yet (${pgbk('wal receive')})`]
  if (receiverHealth !== 'alive')
    return [`the receiver is not running; it was last heard of at ${receiver.updated_at}`]
  return receiver.problem === null ? [] : [`the receiver says: ${receiver.problem}`]
}

function slotWarnings(found: Findings, pgbk: PrintedCommand): string[] {
  const { server, slotName, receiver, archives } = found
  if (!server) return []
  const { slot, max_slot_wal_keep_size: limit } = server
  const cluster = archives[0] && clusterOf(archives[0].backup)
  if (cluster !== undefined && cluster !== server.system_identifier)
    return [
      `the server there is of another cluster (${server.system_identifier}) than the backups here (${cluster})`,
    ]
  if (!slot)
    return receiver
      ? [`the server has no replication slot ${slotName}: WAL that nobody has received may go at any moment`]
      : []
  const unused = slotHealth(slot) === 'unused' ? unusedWarning(found, slot, pgbk) : undefined
  const warnings = [slotProblem(slotName, slot), unused, slotLimitProblem(limit)]
  return warnings.filter((one) => one !== undefined)
}

/** A receiver that is there will use it again. While it hands over, nothing is wrong. */
function unusedWarning(
  { slotName, receiver, receiverHealth }: Findings,
  slot: SlotFacts,
  pgbk: PrintedCommand,
): string | undefined {
  const unused = `the slot ${slotName} is not in use, and ${keptForSlot(slot)}`
  if (receiverHealth !== 'alive')
    return `${unused}; if nobody is to receive any more, remove it with ${pgbk('wal drop-slot')}`
  return receiver?.status === 'handing-over' ? undefined : `${unused} until the receiver uses it again`
}

/** Of the newest backup: what is broken in older ones is shown with them. */
function archiveWarnings({ archives: [newest] }: Findings, pgbk: PrintedCommand): string[] {
  const gap = newest?.window.gap
  if (!newest || !gap) return []
  return [
    `the WAL archive of the newest backup ${newest.backup.id} is broken at ${gap.missing}: ${gap.reason}; run ${pgbk('create')}`,
  ]
}
