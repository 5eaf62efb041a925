import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { Partial } from '../catalog/partial.js'
import type { BackupRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { isDiskFull, PgbkError } from '../errors.js'
import { imageOfTar } from '../forms/make-image.js'
import { neededVerifier } from '../packing/check-copy-of-snapshot.js'
import { knownSize } from '../postgres/server/connect-to-server.js'
import { majorVersion } from '../postgres/server/server-facts.js'
import { readStandbyState } from '../postgres/server/standby-state.js'
import { pgbkFileChecksums } from '../snapshot/conf/pgbk-files.js'
import { snapshotReadme } from '../snapshot/readme.js'
import { writeDurably } from '../system/files/durable.js'
import { allOf } from '../system/files/in-parallel.js'
import { freeBytes, measureTree } from '../system/files/measure.js'
import type { Put } from '../system/program/feed-program.js'
import { formatBytes } from '../text/format.js'
import { archiveWal } from './archive-wal.js'
import type { CreateJob } from './create-job.js'
import { draftRecord, gather } from './gather.js'
import { keepConf } from './keep-conf.js'
import { putTree } from './stream/put-tree.js'
import { streamData } from './stream/stream-server.js'

/** An image that nobody has looked at yet. */
interface StreamedImage {
  /** Of the backup, as it would be without an image; as if it were verified, where that is wanted. */
  record: BackupRecord
  facts: Pick<PackedFacts, 'snapshot_bytes' | 'uid' | 'gid'>
}

/**
 * Makes the image of a server while that is copied, and the WAL archive. What pgbk reads of the copy, or has made for it, lies beside it
 * in the layout's snapshot, as in a plain one.
 * @throws {PgbkError} `disk-full` with what there was room for; as `imageOfTar` and `streamData`.
 */
export async function streamImage(
  partial: Partial,
  job: CreateJob,
  startedAt: Date,
  context: Context,
): Promise<StreamedImage> {
  const { directory, image } = partial.layout
  const { uid, gid } = statSync(directory)
  let packed = 0
  let fed: unknown
  const feed = (put: Put) => {
    const counted: Put = (piece) => {
      packed += piece.length
      return put(piece)
    }
    return feedImage(partial, job, startedAt, counted, context).catch((error) => {
      fed = error
      throw error
    })
  }
  const record = await imageOfTar(image, { uid, gid }, context, feed).catch(async (error) => {
    throw isOutOfRoom(error, fed) ? await fullDisk(error, partial, packed, job) : error
  })
  return { record: record.record, facts: { snapshot_bytes: record.snapshotBytes, uid, gid } }
}

/** @param fed what has failed while it was fed: what pg_basebackup says there of a full disk is the server's. */
function isOutOfRoom(error: unknown, fed: unknown): boolean {
  if (!(error instanceof PgbkError)) return isDiskFull(error)
  return error.code === 'disk-full' && (error !== fed || isDiskFull(error.cause))
}

/** @param packed bytes that have come from the server by then. */
async function fullDisk(
  cause: unknown,
  { layout }: Partial,
  packed: number,
  { server }: CreateJob,
): Promise<PgbkError> {
  const place = dirname(layout.directory)
  // mksquashfs has removed what it had made.
  const taken = statSync(layout.image, { throwIfNoEntry: false })?.size ?? 0
  const room = formatBytes((await freeBytes(place)) + taken)
  const size = formatBytes(knownSize(server.facts))
  return new PgbkError(
    'disk-full',
    `the disk is full: the image of the first ${formatBytes(packed)} of a server of ${size} has used up the ${room} that were free in ${place}`,
    {
      cause,
      hint: 'Make room there (pgbk list, pgbk delete), or choose another root with -C; nothing was kept of this backup.',
    },
  )
}

async function feedImage(
  partial: Partial,
  job: CreateJob,
  startedAt: Date,
  put: Put,
  context: Context,
): Promise<{ record: BackupRecord; snapshotBytes: number }> {
  const { id, layout } = partial
  const { server } = job
  const copying = streamData(server, layout, { ...job, label: `pgbk ${id}` }, put, context)
  const gathered = await gather(copying, job, context)
  const { range, passed } = gathered.copied
  context.progress.step('archiving the WAL')
  const [after, conf, standbyWal] = await allOf([
    job.standby && readStandbyState(server.psql),
    keepConf(server, layout, { id, ...gathered }, context),
    archiveWal(server, layout, range, context),
  ])
  const verifier = job.verify && neededVerifier(majorVersion(server.facts), server.installations)
  const verifiedBy = verifier ? verifier.version : undefined
  const further = { ...conf, startedAt, after, standbyWal, verifiedBy }
  const draft = await draftRecord(partial, job, gathered, further, context)
  await writeDurably(layout.readme, snapshotReadme(draft))
  const aside = await measureTree(layout.snapshot)
  await putTree(layout.snapshot, put, context.signal)
  const wal = await measureTree(layout.wal)
  const snapshotBytes = passed.bytes + aside.bytes
  const record = {
    ...draft,
    own_files: pgbkFileChecksums(layout),
    size_bytes: snapshotBytes + wal.bytes,
    file_count: passed.files + aside.files + wal.files,
  }
  return { record, snapshotBytes }
}
