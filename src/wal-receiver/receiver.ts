import type { Backup } from '../catalog/catalog.js'
import { clusterOf } from '../catalog/check-cluster.js'
import type { RootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import { isDiskFull, messageOf, PgbkError, systemCode } from '../errors.js'
import { connectionHint, isLasting } from '../postgres/connection/connection-hint.js'
import { parseLsn } from '../wal-segments/lsn.js'
import { backupAfter, backupAt, newestBackup, oldestBackup } from './find-backup.js'
import { handOverTo } from './hand-over.js'
import { openHeartbeat } from './heartbeat.js'
import { openJournal } from './journal.js'
import { type Ended, lookWithoutServer, receiveInto } from './receive-into.js'
import { isOf, type ReceiveJob, type Reception } from './reception.js'
import { setAside } from './set-aside.js'
import { fillOrWait, type Pauses, pauses, rest, waitForNewer, waitForRoom } from './waits.js'
import { type WatchedServer, watchServer } from './watched-server.js'

/**
 * Keeps the WAL archive of the newest whole backup growing, until it is told to end. Servers that restart, networks and disks
 * that fail are waited for; only what waiting cannot correct ends it.
 * @throws {PgbkError} the signal's reason when aborted; `wrong-cluster`; `programs-missing`; what the very first connection fails
 * with when that is no matter of time (`refused`, a wrong password ...).
 */
export async function receiveWal(job: ReceiveJob, context: Context): Promise<never> {
  const journal = openJournal(context.progress, context.now)
  const heartbeat = await openHeartbeat(job, context)
  const reception = { ...job, context, journal, heartbeat, warned: new Set<string>(), hasReceived: false }
  const pause = pauses(context)
  try {
    for (;;) {
      const server = await connect(reception)
      const target = server ? await chooseTarget(reception, server) : lastTarget(reception)
      if (target) await attend(reception, server, target, pause)
      else if (!server) await pause.wait(context)
    }
  } finally {
    await heartbeat.end()
  }
}

/** Undefined when there is no connection now. */
async function connect(reception: Reception): Promise<WatchedServer | undefined> {
  const { root, client, slot, journal, heartbeat, context } = reception
  context.signal.throwIfAborted()
  try {
    const server = await watchServer(root, client, slot)
    if (server.slot) {
      journal.report(
        server.slot === 'created'
          ? `made the replication slot ${slot}: the server keeps all WAL from now on until it is received`
          : `made the replication slot ${slot} anew: the server had given up the WAL that it was to keep`,
      )
    }
    heartbeat.met(server.facts)
    return server
  } catch (error) {
    context.signal.throwIfAborted()
    if (!isPassing(error, heartbeat.hasMet)) throw error
    journal.trouble(`${messageOf(error)}; trying again`)
    await heartbeat.beat('waiting-for-server', journal.problem)
    return undefined
  }
}

/** Receives for a backup, as long as there is a server, and does what has to be done then. */
async function attend(
  reception: Reception,
  server: WatchedServer | undefined,
  target: Backup,
  pause: Pauses,
): Promise<void> {
  try {
    const ended = server
      ? await receiveInto(reception, server, target)
      : await lookWithoutServer(reception, target)
    reception.hasReceived ||= ended.hasReceived
    if (ended.hasReceived) pause.reset()
    await react(reception, target, ended, pause)
  } catch (error) {
    await react(reception, target, passingFault(error, reception.root, target), pause)
  }
}

/** Whether waiting may correct it. Before the first contact, what looks like a mistake of the caller's is told at once. */
function isPassing(error: unknown, hasMet: boolean): boolean {
  if (!(error instanceof PgbkError) || !['unreachable', 'refused', 'failed'].includes(error.code))
    return false
  if (hasMet) return true
  return error.code === 'unreachable' && !isLasting(error.facts.said ?? '')
}

function lastTarget({ root, heartbeat }: Reception): Backup | undefined {
  const last = heartbeat.backup === null ? undefined : backupAt(root, heartbeat.backup)
  return last && clusterOf(last) !== undefined ? last : undefined
}

/** On a first start: the oldest that the slot keeps all further WAL for, else the newest. */
function firstTarget(
  root: RootLayout,
  keptFrom: string | null,
  isSame: (backup: Backup) => boolean,
): Backup | undefined {
  if (keptFrom === null) return newestBackup(root, isSame)
  const from = parseLsn(keptFrom)
  const oldest = oldestBackup(root, (one) => isSame(one) && from <= parseLsn(one.summary.stop_lsn))
  return oldest ?? newestBackup(root, isSame)
}

/** The backup that was received into before, or the next one, so that no archive is left with less than it can have. */
async function chooseTarget(
  reception: Reception,
  { facts, psql }: WatchedServer,
): Promise<Backup | undefined> {
  const { root, journal, heartbeat, context, slot } = reception
  const isSame = isOf(facts.system_identifier)
  const before = lastTarget(reception)
  if (before?.state === 'whole' && isSame(before)) return before
  const next = heartbeat.backup === null ? undefined : backupAfter(root, heartbeat.backup, isSame)
  const chosen = next ?? firstTarget(root, facts.slot?.restart_lsn ?? null, isSame)
  if (chosen) return chosen
  journal.report(
    `there is no backup in ${root.root} yet: waiting for the first one, while the slot ${slot} keeps its WAL (${context.pgbk('create')})`,
  )
  journal.remind(
    `still waiting for the first backup (${context.pgbk('create')}); the server keeps WAL for the slot ${slot} meanwhile`,
  )
  await heartbeat.poll(psql, 'waiting-for-backup', () => false)
  await rest(context)
  return undefined
}

/**
 * A full disk is waited for, whoever meets it first; and backups may be deleted at any time, also while one hands over to another.
 * @throws the error itself when it is neither.
 */
function passingFault(error: unknown, root: RootLayout, target: Backup): Ended {
  const code = systemCode(error)
  if (isDiskFull(error))
    return { kind: 'disk-full', message: messageOf(error), subject: undefined, hasReceived: true }
  if (code === 'ENOENT' && !backupAt(root, target.id)) return { kind: 'backup-gone', hasReceived: false }
  // Or it was the newer one; the next look tells.
  if (code === 'ENOENT')
    return { kind: 'lost', message: messageOf(error), subject: undefined, hasReceived: false }
  throw error
}

/** A history that left ours before the snapshot's end leads nowhere from this backup; what it has stays reachable. */
async function followFork(reception: Reception, target: Backup, forkLsn: string): Promise<void> {
  if (parseLsn(forkLsn) >= parseLsn(target.record.stop_lsn)) return await setAside(reception, target, forkLsn)
  await waitForNewer(
    reception,
    target,
    `the server has another history from ${forkLsn} on, before the end of backup ${target.id}: was it restored? Nothing of it belongs to that backup, whose archive stays as it is`,
  )
}

function noReplication({ client: { psql } }: Reception, message: string): PgbkError {
  return new PgbkError('refused', `pg_receivewal cannot connect: ${message}`, {
    hint: connectionHint(message, { ...psql.connection, systemUser: psql.systemUser }),
  })
}

async function react(reception: Reception, target: Backup, ended: Ended, pause: Pauses): Promise<void> {
  const { journal, heartbeat, context } = reception
  switch (ended.kind) {
    case 'newer-backup':
      await handOverTo(reception, target, ended.newer)
      return
    case 'backup-gone':
      journal.report(`backup ${target.id} is no longer there`)
      return
    case 'gap':
      return await fillOrWait(reception, target, ended.subject ?? '')
    case 'disk-full':
      return await waitForRoom(reception, target)
    case 'forked':
      return await followFork(reception, target, ended.subject ?? '')
    case 'slot-in-use':
      journal.trouble(
        `the replication slot ${reception.slot} is in use by another receiver (process ${ended.subject} of the server), or by a connection that was lost: trying again. A second receiver needs a slot of its own (wal.slot)`,
      )
      break
    case 'no-server':
      break
    case 'refused':
      // What psql may do, a walsender may be closed to; later an administrator is at work there.
      if (!reception.hasReceived) throw noReplication(reception, ended.message)
      journal.trouble(`pg_receivewal cannot connect: ${ended.message}; trying again`)
      break
    case 'lost':
      journal.trouble(`pg_receivewal ended: ${ended.message}; connecting again`)
  }
  await heartbeat.beat('waiting-for-server', journal.problem)
  await pause.wait(context)
}
