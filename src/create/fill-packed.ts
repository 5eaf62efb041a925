import { type ReadableBackup, storedBackup } from '../catalog/backup.js'
import type { Partial } from '../catalog/partial.js'
import { type BackupRecord, majorOf, summarize } from '../catalog/record.js'
import { type Context, withEnds } from '../context.js'
import { readsTar } from '../forms/make-image.js'
import { neededVerifier } from '../packing/check-copy-of-snapshot.js'
import { checkPacked, packSnapshot } from '../packing/pack-snapshot.js'
import { recordImage } from '../packing/record-image.js'
import type { ServerFacts } from '../postgres/server/server-facts.js'
import { checkComplete } from '../snapshot/completeness.js'
import { removeTree } from '../system/files/remove-tree.js'
import { bytePath } from '../system/paths/byte-path.js'
import type { Wire } from './copy/base-backup.js'
import type { CreateJob } from './create-job.js'
import { fillPlain, unverifiedWal } from './fill-plain.js'
import { streamImage } from './stream-image.js'

/** Why what a server sends cannot go straight into an image; undefined where it can. */
export async function streamObstacle(
  { tablespaces }: Pick<ServerFacts, 'tablespaces'>,
  wire: Wire,
  context: Context,
): Promise<string | undefined> {
  if (tablespaces.length > 0) return 'the server has further tablespaces'
  if (wire !== 'none') return `create.wire is ${wire}`
  return (await readsTar(context)) ? undefined : 'mksquashfs here is older than 4.5'
}

/** Makes a packed backup, on disk, but for its record, which is returned; nothing plain is left of it. */
export async function fillPacked(
  partial: Partial,
  job: CreateJob,
  startedAt: Date,
  context: Context,
): Promise<object> {
  const record = await withEnds(context, (own) =>
    (job.streams ? fillStreamed : packCopy)(partial, job, startedAt, own),
  )
  await removeTree(bytePath(partial.layout.snapshot))
  return record
}

/** The copy lies there in full before it is packed. */
async function packCopy(
  partial: Partial,
  job: CreateJob,
  startedAt: Date,
  context: Context,
): Promise<object> {
  const record = await fillPlain(partial, job, startedAt, context)
  const verifier = neededVerifier(majorOf(record), job.server.installations)
  return packSnapshot(unpacked(partial, record), partial.layout, verifier, context)
}

async function fillStreamed(
  partial: Partial,
  job: CreateJob,
  startedAt: Date,
  context: Context,
): Promise<object> {
  const { layout } = partial
  const { installations } = job.server
  const { record, facts } = await streamImage(partial, job, startedAt, context)
  const verifier = neededVerifier(majorOf(record), installations)
  if (job.verify && !verifier.checksWal) context.progress.warn(unverifiedWal(majorOf(record)))
  context.progress.step(job.verify ? 'verifying' : 'looking at the image')
  const aside = unpacked(partial, record)
  const { image, imageReadme } = layout
  const whole = await recordImage(
    aside,
    { image, imageReadme, facts },
    (copy) =>
      job.verify ? checkPacked(aside, copy, verifier, context) : checkComplete(copy, context.signal),
    context,
  )
  // The README in the image could not wait for this; neither clock must put it too early (build-record.ts).
  const finishedAt = Math.max(context.now().getTime(), Date.parse(record.finished_at))
  return {
    ...whole,
    finished_at: new Date(finishedAt).toISOString(),
    duration_ms: Math.max(0, finishedAt - startedAt.getTime()),
  }
}

/** The backup, as it would be without an image. */
function unpacked({ layout }: Partial, record: BackupRecord): ReadableBackup {
  const { directory, snapshot } = layout
  return { ...storedBackup(summarize(JSON.stringify(record)), 'whole'), directory, snapshot }
}
