import { existsSync } from 'node:fs'
import type { LocalBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { type LastCreate, readLastCreate } from '../catalog/last-create.js'
import { rootLayout } from '../catalog/layout.js'
import { existingDirectory } from '../catalog/prepare-root.js'
import { type Proof, resultOf } from '../catalog/proof.js'
import type { Task } from '../config/load.js'
import { messageOf, PgbkError } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { findClient } from '../postgres/server/connect-to-server.js'
import { askWalServer, type SlotFacts } from '../postgres/server/wal-server.js'
import { freeBytes } from '../system/files/measure.js'
import { readReceiverState } from '../wal-archive/receiver-state.js'
import { findWindows } from '../wal-coverage/find-window.js'
import type { BackupWindow } from '../wal-coverage/window.js'
import {
  ageMsOf,
  breakOf,
  type HealthFigures,
  type HealthLimits,
  judgeHealth,
  mostAgeMs,
  type Problem,
} from './health.js'
import { receiverHealth, slotHealth } from './receiver-health.js'
import { type StoreHealth, storeProblems, storesHealth, storeWalProblems } from './store-health.js'

export interface StatusOptions extends ConnectionFlags {
  /** Milliseconds. */
  maxAge?: number
  maxProofAge?: number
  maxLag?: number
}

export interface StatusResult extends HealthFigures {
  root: string
  at: Date
  limits: HealthLimits
  /** How many whole ones there are. */
  count: number
  /** The newest whole one. */
  newest: LocalBackup | undefined
  window: BackupWindow | undefined
  /** The newest proof that went well. */
  proof: Proof | undefined
  lastCreate: LastCreate | undefined
  /** The backup that a receiver at work hands over to. */
  handsOverTo: string | undefined
  /** Bytes of WAL that the server keeps for the receiver; undefined where none has run here, or the server was not reached. */
  retainedBytes: number | undefined
  freeBytes: number | undefined
  /** Those of the configuration. */
  stores: StoreHealth[]
  problems: Problem[]
}

/** Is the newest backup fresh, whole and proven? The server is asked only where a receiver has run, and for seconds only. */
export async function status(options: StatusOptions, task: Task): Promise<StatusResult> {
  const { settings, context } = task
  const root = rootLayout(settings.root)
  const at = context.now()
  const catalog = readCatalog(settings.root)
  const whole = catalog.backups.filter(({ state }) => state === 'whole')
  const [newest] = whole
  const window = newest && (await findWindows(settings, catalog, context).windowOf(newest))
  const proof = newestProof(whole)
  const lastCreate = readLastCreate(root)
  const receiver = readReceiverState(root)
  const slot = receiver && (await askSlot(options, receiver.slot, task))
  const since = (time: string | undefined) =>
    time === undefined ? undefined : at.getTime() - Date.parse(time)
  const figures: HealthFigures = {
    ageMs: newest && ageMsOf(newest, at),
    check: resultOf(newest?.proof),
    proofAgeMs: since(proof?.finished_at),
    lagMs: since(window?.to),
    gap: window && breakOf(window),
    createFailure: failureAfter(newest, lastCreate),
    receiver: receiverHealth(receiver, at),
    slot: slotHealth(slot),
  }
  const limits = {
    maxAgeMs: options.maxAge ?? mostAgeMs.daily,
    maxProofAgeMs: options.maxProofAge,
    maxLagMs: options.maxLag,
  }
  const stores = storesHealth(settings, root, new Set(whole.map(({ id }) => id)), at)
  return {
    ...figures,
    root: settings.root,
    at,
    limits,
    count: whole.length,
    newest,
    window,
    proof,
    lastCreate,
    handsOverTo: (figures.receiver === 'alive' && receiver?.handing_over_to) || undefined,
    retainedBytes: slot === null ? 0 : (slot?.retained_bytes ?? undefined),
    freeBytes: existsSync(root.root) ? await freeBytes(existingDirectory(root)) : undefined,
    stores,
    problems: [
      ...judgeHealth(figures, limits, context.pgbk),
      ...storeProblems(stores),
      ...storeWalProblems(stores, figures.receiver),
    ],
  }
}

function failureAfter(newest: LocalBackup | undefined, last: LastCreate | undefined): string | undefined {
  const isOlder = newest && last && Date.parse(last.finished_at) < Date.parse(newest.summary.finished_at)
  return isOlder ? undefined : last?.error?.message
}

function newestProof(whole: LocalBackup[]): Proof | undefined {
  const proofs = whole.flatMap(({ proof }) => (proof && proof !== 'unreadable' && proof.ok ? [proof] : []))
  return proofs.sort((a, b) => Date.parse(b.finished_at) - Date.parse(a.finished_at))[0]
}

const answerMs = 5000

/** Null where there is none; undefined when the server was not reached. */
async function askSlot(
  flags: ConnectionFlags,
  slot: string,
  { settings, context }: Task,
): Promise<SlotFacts | null | undefined> {
  try {
    const { psql } = await findClient(flags, settings, 'pgbk_status', context)
    return (await askWalServer({ ...psql, timeoutMs: answerMs }, slot)).slot
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    context.progress.detail(`the server was not asked for its slot: ${messageOf(error)}`)
    return undefined
  }
}
