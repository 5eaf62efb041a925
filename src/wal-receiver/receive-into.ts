import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type LocalBackup, layoutOf, recordOf } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { claimedCluster } from '../catalog/check-cluster.js'
import { endOrphanedReceivers } from '../postgres/programs/orphans.js'
import { readArchivedWal } from '../wal-archive/archived-wal.js'
import { lastSegmentBefore, parseSegmentName } from '../wal-segments/lsn.js'
import { isUnfinishedFile, segmentIn } from '../wal-segments/segment-forms.js'
import { giveReceivewalItsStart, sweepArchive } from './archive-files.js'
import { chooseCompression, type SegmentCompression } from './choose-compression.js'
import { type Compressor, startCompressor } from './compressor.js'
import { backupAfter, isOfCluster, previousArchives } from './find-backup.js'
import { type ReceiverEnd, type RunningReceiver, startReceivewal } from './pg-receivewal.js'
import type { ReceiverSession } from './receiver-session.js'
import { segmentNoter } from './segment-noter.js'
import { hasReceived, type WatchedServer } from './watched-server.js'

/** Why nothing more is received into a backup's archive. */
export type ReceivingEnd = { hasReceived: boolean } & (
  | ReceiverEnd
  | { kind: 'newer-backup'; newer: LocalBackup }
  | { kind: 'backup-gone' }
  | { kind: 'no-server' }
)

const ticksPerPoll = 2

/**
 * Runs pg_receivewal on the archive of one backup until that ends, a newer backup can take over, or the backup is gone. Nobody
 * writes into the archive any more when this returns or throws.
 * @throws the signal's reason when aborted.
 */
export async function receiveInto(
  session: ReceiverSession,
  server: WatchedServer,
  target: LocalBackup,
): Promise<ReceivingEnd> {
  const { slot, context, receiverReport, log } = session
  const { wal } = layoutOf(target)
  if (!existsSync(wal)) return { kind: 'backup-gone', hasReceived: false }
  const orphans = await endOrphanedReceivers(wal, context.env)
  if (orphans > 0) context.progress.detail(`ended the pg_receivewal of a receiver that was killed`)
  await sweepArchive(wal, recordOf(target).wal_segment_size)
  const found = readArchivedWal(wal, recordOf(target))
  if (found.chain.length === 0)
    return { kind: 'gap', message: '', subject: found.gap?.missing, hasReceived: false }
  if (found.gap && !session.warned.has(target.id)) {
    session.warned.add(target.id)
    const { missing, reason } = found.gap
    context.progress.warn(
      `the WAL archive of backup ${target.id} is broken at ${missing}: ${reason}. Its window ends there; run ${context.pgbk('create')}`,
    )
  }
  await receiverReport.receiveFor(target)
  await giveReceivewalItsStart(wal, recordOf(target).wal_segment_size, context)
  const receiver = await startReceivewal(server.clients, server.psql.connection, wal, slot)
  const { installations } = session.client
  const compressor = startCompressor({
    current: wal,
    others: previousArchives(session.root, target),
    compression: compressionFor(session, target),
    segmentSize: recordOf(target).wal_segment_size,
    env: context.env,
    noter: (signal) => segmentNoter({ root: session.root, target, installations, env: context.env, signal }),
    onFault: (text) => context.progress.warn(text),
  })
  try {
    return await watch({ ...session, server, target, receiver, compressor, log })
  } finally {
    await Promise.all([receiver.stop(), compressor.stop()])
  }
}

function compressionFor(
  { root, compression: wanted, context, warned }: ReceiverSession,
  target: LocalBackup,
): SegmentCompression | undefined {
  if (!wanted) return undefined
  const cluster = claimedCluster(target)
  const { compression, reason } = chooseCompression(
    wanted,
    wanted.by === 'gzip'
      ? []
      : readCatalog(root.root).backups.filter((one) => claimedCluster(one) === cluster),
    context,
  )
  if (reason !== undefined && !warned.has(reason)) {
    warned.add(reason)
    context.progress.warn(
      `WAL segments are compressed with gzip, not with zstd as wal.compress says: ${reason}`,
    )
  }
  return compression
}

/**
 * Without a server a newer backup takes over as well, where all before the end of its snapshot has been received: that the server
 * comes back is not sure, and the newest backup is the one that is restored then.
 */
export async function lookWithoutServer(
  { root, context }: ReceiverSession,
  target: LocalBackup,
): Promise<ReceivingEnd> {
  const newer = backupAfter(root, target.id, isOfCluster(recordOf(target).server.system_identifier))
  if (!newer) return { kind: 'no-server', hasReceived: false }
  await endOrphanedReceivers(layoutOf(target).wal, context.env)
  // Of an unfinished segment only the server could tell how far it goes.
  return reaches(target, recordOf(newer).stop_lsn, { finished: true })
    ? { kind: 'newer-backup', newer, hasReceived: false }
    : { kind: 'no-server', hasReceived: false }
}

interface Watch extends ReceiverSession {
  server: WatchedServer
  target: LocalBackup
  receiver: RunningReceiver
  compressor: Compressor
}

async function watch(watched: Watch): Promise<ReceivingEnd> {
  const { root, context, log, server, target, receiver, compressor } = watched
  const { host, port } = server.facts
  const isSame = isOfCluster(server.facts.system_identifier)
  let hasBegun = false
  for (let tick = 1; ; tick++) {
    await Promise.race([
      sleep(context.tickMs, undefined, { signal: context.signal }).catch(() => {}),
      receiver.ended,
    ])
    context.signal.throwIfAborted()
    const ended = endOf(watched)
    if (ended) return { ...ended, hasReceived: hasBegun }
    compressor.tick()
    const newer = backupAfter(root, target.id, isSame)
    if (!newer && hasBegun && tick % ticksPerPoll !== 0) continue
    const facts = await ask(watched)
    if (!facts?.slot?.active) continue
    if (!hasBegun || log.problem !== null)
      log.report(
        `receiving WAL of ${host}:${port} into the archive of backup ${target.id}, timeline ${facts.timeline}`,
      )
    hasBegun = true
    if (newer && hasReceived(facts, recordOf(newer).stop_lsn) && reaches(target, recordOf(newer).stop_lsn))
      return { kind: 'newer-backup', newer, hasReceived: true }
  }
}

function endOf({ receiver, target }: Watch): ReceiverEnd | { kind: 'backup-gone' } | undefined {
  if (receiver.hasEnded()) return receiver.end()
  return existsSync(layoutOf(target).record) ? undefined : { kind: 'backup-gone' }
}

/** Undefined when the server does not answer; what is received meanwhile comes all the same. */
async function ask({ receiverReport, log, server, target, receiver }: Watch) {
  const isHere = (lsn: string) => reaches(target, lsn)
  const { facts, silence } = await receiverReport.poll(server.psql, 'receiving', isHere)
  // A pg_receivewal that has ended tells more.
  if (silence !== null && !receiver.hasEnded()) log.trouble(`${silence}; asking again`)
  return facts
}

/**
 * Whether the archive has the segment that holds the last byte before a position, or a later one. What the slot says of a receiver
 * that has just begun may still be another's.
 * @param finished it has to be finished.
 */
function reaches(backup: LocalBackup, lsn: string, { finished } = { finished: false }): boolean {
  const size = recordOf(backup).wal_segment_size
  const wanted = lastSegmentBefore(lsn, size)
  return readdirSync(layoutOf(backup).wal).some((name) => {
    const segment = parseSegmentName(segmentIn(name) ?? '', size)?.segment ?? -1n
    return segment > wanted || (segment === wanted && !(finished && isUnfinishedFile(name)))
  })
}
