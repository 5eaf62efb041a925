import { parseSegmentName } from './lsn.js'

export type SegmentForm = 'raw' | 'gzip' | 'partial'

export interface ArchivedSegment {
  /** Its 24 digits. */
  name: string
  timeline: number
  segment: bigint
  form: SegmentForm
  /** The archive in which it lies. */
  directory: string
  /** The file's name in there. */
  file: string
  /** Bytes on disk. */
  bytes: number
}

/** Its file. */
export function pathOf({ directory, file }: Pick<ArchivedSegment, 'directory' | 'file'>): string {
  return `${directory}/${file}`
}

/** A file of the archive, by name and size alone. */
export interface ArchiveFile {
  /** The archive. */
  directory: string
  name: string
  bytes: number
}

/** A segment and, where it cannot be used, why. */
export interface Found {
  segment: ArchivedSegment
  fault?: string
  /** It was found to be damaged where another archive has a sound copy: until then it is told by what is in it. */
  isDamagedCopy?: true
}

/** Every segment in its best form: whole before partial, raw before compressed. */
export function segmentsIn(files: ArchiveFile[], segmentSize: number): Map<string, Found> {
  const best = new Map<string, Found>()
  const worth = ({ segment, fault }: Found) =>
    (fault === undefined ? 10 : 0) + { raw: 3, gzip: 2, partial: 1 }[segment.form]
  for (const file of files) {
    const one = segmentOf(file, segmentSize)
    if (!one) continue
    const other = best.get(one.segment.name)
    if (!other || worth(one) > worth(other)) best.set(one.segment.name, one)
  }
  return best
}

const forms: Record<string, SegmentForm> = { '': 'raw', '.gz': 'gzip', '.partial': 'partial' }

function segmentOf({ directory, name: file, bytes }: ArchiveFile, segmentSize: number): Found | undefined {
  const [name, ending] = [file.slice(0, 24), file.slice(24)]
  const form = forms[ending]
  const place = parseSegmentName(name, segmentSize)
  if (!form || !place) return undefined
  const segment = { name, ...place, form, directory, file, bytes }
  if (form === 'gzip') return bytes > 0 ? { segment } : { segment, fault: 'its file is empty' }
  if (bytes === segmentSize) return { segment }
  // pg_receivewal fills a new one with zeros before it writes to it: until then there is nothing in it.
  if (form === 'partial') return undefined
  return { segment, fault: `it has ${bytes} bytes instead of ${segmentSize}` }
}
