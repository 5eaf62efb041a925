import type { LocalBackup } from '../catalog/backup.js'
import { clusterOf } from '../catalog/check-cluster.js'
import type { RootLayout } from '../catalog/layout.js'
import { createRoot, openRootToCreate } from '../catalog/prepare-root.js'
import type { Task } from '../config/load.js'
import type { Context } from '../context.js'
import { isDiskFull, messageOf, PgbkError, systemCode } from '../errors.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { connectionHint, isLasting } from '../postgres/connection/connection-hint.js'
import { findClient } from '../postgres/server/connect-to-server.js'
import { withLock } from '../system/files/lock.js'
import { parseLsn } from '../wal-segments/lsn.js'
import { wantedCompression } from './choose-compression.js'
import { openDedupedLog } from './deduped-log.js'
import { backupAfter, backupAt, isOfCluster, newestBackup, oldestBackup } from './find-backup.js'
import { handOverTo } from './hand-over-archive.js'
import { followFork } from './move-diverged-wal.js'
import { lookWithoutServer, type ReceivingEnd, receiveInto } from './receive-into.js'
import { fillOrWait, type GrowingPauses, growingPauses, pauseFor, waitForRoom } from './receiver-pauses.js'
import { openReceiverReport } from './receiver-report.js'
import type { ReceiverOptions, ReceiverSession } from './receiver-session.js'
import { type WatchedServer, watchServer } from './watched-server.js'

/**
 * Keeps the WAL archive of the newest whole backup growing, until it is told to end. Servers that restart, networks and disks
 * that fail are waited for; only what waiting cannot correct ends it. One receiver a root.
 * @param whenAlone is called when no other receiver can be in the root.
 * @throws {PgbkError} the signal's reason when aborted; `wrong-cluster`; `programs-missing`; what the very first connection fails
 * with when that is no matter of time (`refused`, a wrong password ...).
 */
export async function receiveWal(
  options: ConnectionFlags,
  { settings, context }: Task,
  whenAlone: () => void = () => {},
): Promise<never> {
  // A receiver may be there before the first backup.
  const root = openRootToCreate(settings.root, context)
  createRoot(root)
  const client = await findClient(options, settings, 'pgbk_receive', context)
  const job = { root, client, slot: settings.wal.slot, compression: wantedCompression(settings.wal.compress) }
  return withLock(root.walLock, { purpose: 'wal receive' }, context, (guarded) => {
    whenAlone()
    return keepReceiving(job, guarded)
  })
}

/** The same, for whoever has the lock. */
export async function keepReceiving(job: ReceiverOptions, context: Context): Promise<never> {
  const log = openDedupedLog(context.progress, context.now)
  const receiverReport = await openReceiverReport(job, context)
  const session = { ...job, context, log, receiverReport, warned: new Set<string>(), hasReceived: false }
  const pause = growingPauses(context)
  try {
    for (;;) {
      const server = await connect(session)
      const target = server ? await chooseTarget(session, server) : lastTarget(session)
      if (target) await attend(session, server, target, pause)
      else if (!server) await pause.wait(context)
    }
  } finally {
    await receiverReport.end()
  }
}

/** Undefined when there is no connection now. */
async function connect(session: ReceiverSession): Promise<WatchedServer | undefined> {
  const { root, client, slot, log, receiverReport, context } = session
  context.signal.throwIfAborted()
  try {
    const server = await watchServer(root, client, slot)
    if (server.slot) {
      log.report(
        server.slot === 'created'
          ? `made the replication slot ${slot}: the server keeps all WAL from now on until it is received`
          : `made the replication slot ${slot} anew: the server had given up the WAL that it was to keep`,
      )
    }
    receiverReport.noteServer(server.facts)
    return server
  } catch (error) {
    context.signal.throwIfAborted()
    if (!isPassing(error, receiverReport)) throw error
    log.trouble(`${messageOf(error)}; trying again`)
    await receiverReport.update('waiting-for-server', log.problem)
    return undefined
  }
}

/** Whether waiting may correct it. Before the first contact, what looks like a mistake of the caller's is told at once. */
function isPassing(error: unknown, { hasAnswered }: ReceiverSession['receiverReport']): boolean {
  if (!(error instanceof PgbkError) || !['unreachable', 'refused', 'failed'].includes(error.code))
    return false
  if (hasAnswered) return true
  return error.code === 'unreachable' && !isLasting(error.facts.said ?? '')
}

/** The backup that was received into before, or the next one, so that no archive is left with less than it can have. */
async function chooseTarget(
  session: ReceiverSession,
  { facts, psql }: WatchedServer,
): Promise<LocalBackup | undefined> {
  const { root, log, receiverReport, context, slot } = session
  const isSame = isOfCluster(facts.system_identifier)
  const before = lastTarget(session)
  if (before?.state === 'whole' && isSame(before)) return before
  const next = receiverReport.backup === null ? undefined : backupAfter(root, receiverReport.backup, isSame)
  const chosen = next ?? firstTarget(root, facts.slot?.restart_lsn ?? null, isSame)
  if (chosen) return chosen
  log.report(
    `there is no backup in ${root.root} yet: waiting for the first one, while the slot ${slot} keeps its WAL (${context.pgbk('create')})`,
  )
  log.remind(
    `still waiting for the first backup (${context.pgbk('create')}); the server keeps WAL for the slot ${slot} meanwhile`,
  )
  await receiverReport.poll(psql, 'waiting-for-backup', () => false)
  await pauseFor(context)
  return undefined
}

function lastTarget({ root, receiverReport }: ReceiverSession): LocalBackup | undefined {
  const last = receiverReport.backup === null ? undefined : backupAt(root, receiverReport.backup)
  return last && clusterOf(last) !== undefined ? last : undefined
}

/** On a first start: the oldest that the slot keeps all further WAL for, else the newest. */
function firstTarget(
  root: RootLayout,
  keptFrom: string | null,
  isSame: (backup: LocalBackup) => boolean,
): LocalBackup | undefined {
  if (keptFrom === null) return newestBackup(root, isSame)
  const from = parseLsn(keptFrom)
  const oldest = oldestBackup(root, (one) => isSame(one) && from <= parseLsn(one.summary.stop_lsn))
  return oldest ?? newestBackup(root, isSame)
}

/** Receives for a backup, as long as there is a server, and does what has to be done then. */
async function attend(
  session: ReceiverSession,
  server: WatchedServer | undefined,
  target: LocalBackup,
  pause: GrowingPauses,
): Promise<void> {
  try {
    const ended = server
      ? await receiveInto(session, server, target)
      : await lookWithoutServer(session, target)
    session.hasReceived ||= ended.hasReceived
    if (ended.hasReceived) pause.reset()
    await react(session, target, ended, pause)
  } catch (error) {
    await react(session, target, passingFault(error, session.root, target), pause)
  }
}

async function react(
  session: ReceiverSession,
  target: LocalBackup,
  ended: ReceivingEnd,
  pause: GrowingPauses,
): Promise<void> {
  const { log, receiverReport, context, client } = session
  const { psql } = client
  switch (ended.kind) {
    case 'newer-backup':
      await handOverTo(session, target, ended.newer)
      return
    case 'backup-gone':
      log.report(`backup ${target.id} is no longer there`)
      return
    case 'gap':
      return await fillOrWait(session, target, ended.subject ?? '')
    case 'disk-full':
      return await waitForRoom(session, target)
    case 'forked':
      return await followFork(session, target, ended.subject ?? '')
    case 'slot-in-use':
      log.trouble(
        `the replication slot ${session.slot} is in use by another receiver (process ${ended.subject} of the server), or by a connection that was lost: trying again. A second receiver needs a slot of its own (wal.slot)`,
      )
      break
    case 'no-server':
      break
    case 'refused':
      // What psql may do, a walsender may be closed to; later an administrator is at work there.
      if (!session.hasReceived)
        throw new PgbkError('refused', `pg_receivewal cannot connect: ${ended.message}`, {
          hint: connectionHint(ended.message, { ...psql.connection, systemUser: psql.systemUser }),
        })
      log.trouble(`pg_receivewal cannot connect: ${ended.message}; trying again`)
      break
    case 'lost':
      log.trouble(`pg_receivewal ended: ${ended.message}; connecting again`)
  }
  await receiverReport.update('waiting-for-server', log.problem)
  await pause.wait(context)
}

/**
 * A full disk is waited for, whoever meets it first; and backups may be deleted at any time, also while one hands over to another.
 * @throws the error itself when it is neither.
 */
function passingFault(error: unknown, root: RootLayout, target: LocalBackup): ReceivingEnd {
  const code = systemCode(error)
  if (isDiskFull(error))
    return { kind: 'disk-full', message: messageOf(error), subject: undefined, hasReceived: true }
  if (code === 'ENOENT' && !backupAt(root, target.id)) return { kind: 'backup-gone', hasReceived: false }
  // Or it was the newer one; the next look tells.
  if (code === 'ENOENT')
    return { kind: 'lost', message: messageOf(error), subject: undefined, hasReceived: false }
  throw error
}
