import { basename } from 'node:path'
import { parseSegmentName } from './lsn.js'
import { isFinished, packingOf, type SegmentForm, segmentFileOf, segmentForms } from './segment-forms.js'

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

/** The 24 digits of the segment in such a file. */
export function nameIn(path: string): string {
  return segmentFileOf(basename(path))?.name ?? ''
}

/** A file of the archive, by name and size alone. */
export interface ArchiveFile {
  /** The archive. */
  directory: string
  name: string
  bytes: number
}

/** A segment and, where it cannot be used, why. */
export interface FoundSegment {
  segment: ArchivedSegment
  /** Other files of it that can be used, where this one is damaged. */
  others?: ArchivedSegment[]
  fault?: string
  /** It was found to be damaged where another archive has a sound copy: until then it is told by what is in it. */
  isDamagedCopy?: true
}

/** Every segment in its best form: whole before partial, raw before compressed. */
export function segmentsIn(files: ArchiveFile[], segmentSize: number): Map<string, FoundSegment> {
  const best = new Map<string, FoundSegment>()
  const worth = ({ segment, fault }: FoundSegment) =>
    (fault === undefined ? segmentForms.length : 0) - segmentForms.indexOf(segment.form)
  for (const file of files) {
    const one = segmentOf(file, segmentSize)
    if (!one) continue
    const other = best.get(one.segment.name)
    best.set(
      one.segment.name,
      !other ? one : worth(one) > worth(other) ? withOther(one, other) : withOther(other, one),
    )
  }
  return best
}

function withOther(better: FoundSegment, lesser: FoundSegment): FoundSegment {
  const all = [...(better.others ?? []), ...(lesser.fault === undefined ? [lesser.segment] : [])]
  return { ...better, others: [...all, ...(lesser.others ?? [])] }
}

/** All files of a segment that can be used, the best first. */
export function usableFormsOf(found: FoundSegment | undefined): ArchivedSegment[] {
  return found && found.fault === undefined ? [found.segment, ...(found.others ?? [])] : []
}

function segmentOf(
  { directory, name: file, bytes }: ArchiveFile,
  segmentSize: number,
): FoundSegment | undefined {
  const found = segmentFileOf(file)
  const place = found && parseSegmentName(found.name, segmentSize)
  if (!place) return undefined
  const segment = { ...found, ...place, directory, file, bytes }
  if (packingOf(segment.form)) return bytes > 0 ? { segment } : { segment, fault: 'its file is empty' }
  if (bytes === segmentSize) return { segment }
  // pg_receivewal fills a new one with zeros before it writes to it: until then there is nothing in it.
  if (!isFinished(segment)) return undefined
  return { segment, fault: `it has ${bytes} bytes instead of ${segmentSize}` }
}
