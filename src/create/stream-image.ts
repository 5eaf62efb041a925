import { statSync } from 'node:fs'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { Partial } from '../catalog/partial.js'
import type { BackupRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { imageOfTar } from '../forms/make-image.js'
import { neededVerifier } from '../packing/check-copy-of-snapshot.js'
import { majorVersion } from '../postgres/server/server-facts.js'
import { readStandbyState } from '../postgres/server/standby-state.js'
import { pgbkFileChecksums } from '../snapshot/conf/pgbk-files.js'
import { snapshotReadme } from '../snapshot/readme.js'
import { writeDurably } from '../system/files/durable.js'
import { allOf } from '../system/files/in-parallel.js'
import { measureTree } from '../system/files/measure.js'
import type { Put } from '../system/program/feed-program.js'
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
 */
export async function streamImage(
  partial: Partial,
  job: CreateJob,
  startedAt: Date,
  context: Context,
): Promise<StreamedImage> {
  const { directory, image } = partial.layout
  const { uid, gid } = statSync(directory)
  const record = await imageOfTar(image, { uid, gid }, context, (put) =>
    feedImage(partial, job, startedAt, put, context),
  )
  return { record: record.record, facts: { snapshot_bytes: record.snapshotBytes, uid, gid } }
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
