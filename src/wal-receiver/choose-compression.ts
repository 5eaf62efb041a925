import type { StoredBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { finishedForms, formsAtFirst, type Packing, type SegmentForm } from '../wal-segments/segment-forms.js'
import { hasZstdProgram } from '../wal-segments/zstd.js'

/** How finished segments are compressed. */
export interface SegmentCompression {
  form: SegmentForm
  /** Commands of a shell that read standard input and write standard output. */
  pack: string
  unpack: string
}

/** `wal.compress`; undefined for none. WAL is much and compresses well at any level, so the fastest is the default. */
export interface WantedCompression {
  by: Packing
  level: number
}

export function wantedCompression(compress: string): WantedCompression | undefined {
  if (compress === 'none') return undefined
  const [by, level = '1'] = compress.split(':')
  return { by: by === 'zstd' ? 'zstd' : 'gzip', level: Number(level) }
}

interface ChosenCompression {
  compression: SegmentCompression
  /** Why it is gzip where zstd is wanted. */
  reason?: string
}

/**
 * What is wanted, where this machine has it and every snapshot reads it: recovery by hand knows what the configuration of the snapshot
 * says, and takes WAL along from later archives.
 * @param backups of the cluster that the WAL is of.
 */
export function chooseCompression(
  { by, level }: WantedCompression,
  backups: readonly Pick<StoredBackup, 'id' | 'summary'>[],
  { env }: Pick<Context, 'env'>,
): ChosenCompression {
  const gzip = (ofLevel: number) =>
    ({ form: 'gzip', pack: `gzip -c -${ofLevel}`, unpack: 'gzip -dc' }) as const
  if (by === 'gzip') return { compression: gzip(level) }
  // What Node packs, a server in a sandbox, or of another user, could not unpack: it has no Node.
  if (!hasZstdProgram(env)) return { compression: gzip(1), reason: 'the program zstd is not installed' }
  const older = backups.find((one) => !readsAll(one))
  if (older)
    return {
      compression: gzip(1),
      reason: `the configuration in the snapshot of ${older.id}, which an earlier pgbk has written, reads no .zst`,
    }
  return { compression: { form: 'zstd', pack: `zstd -q -c -${level}`, unpack: 'zstd -dc' } }
}

function readsAll({ summary }: Pick<StoredBackup, 'summary'>): boolean {
  const known: readonly string[] = summary.wal_forms ?? formsAtFirst
  return finishedForms.every((form) => known.includes(form))
}
