/** How a segment's file is, and what its name tells of that. */
interface Form {
  /** What its name has after the 24 digits. */
  ending: string
  /** Whether nobody writes to it any more. */
  isFinished: boolean
  /** How its bytes have been packed, where they have. */
  packing?: Packing
}

/** What can be unpacked: by `segmentPieces` here, and by a restore_command with a stock program. */
export type Packing = 'gzip' | 'zstd'

/**
 * The forms of a segment in a WAL archive, the best to read first. What is known of them is here alone: a further one is a line of
 * this table, and a way to unpack it.
 */
const forms = {
  raw: { ending: '', isFinished: true },
  gzip: { ending: '.gz', isFinished: true, packing: 'gzip' },
  zstd: { ending: '.zst', isFinished: true, packing: 'zstd' },
  /** As pg_receivewal names the one that it writes to. */
  partial: { ending: '.partial', isFinished: false },
} as const satisfies Record<string, Form>

export type SegmentForm = keyof typeof forms

export const segmentForms = Object.keys(forms) as SegmentForm[]

const formOf = (form: SegmentForm): Form => forms[form]

/** The forms of a segment that has all its WAL. */
export const finishedForms = segmentForms.filter((form) => formOf(form).isFinished)

/** The forms of one that may grow. */
export const unfinishedForms = segmentForms.filter((form) => !formOf(form).isFinished)

/** The forms of a segment that pgbk has written until it knew a further one: old snapshots' configurations read no others. */
export const formsAtFirst: readonly SegmentForm[] = ['raw', 'gzip']

/** The forms in which pg_receivewal finds what it goes on from (FindStreamingStart in pg_receivewal.c). */
export const formsOfReceivewal: readonly SegmentForm[] = ['raw', 'gzip', 'partial']

export function endingOf(form: SegmentForm): string {
  return formOf(form).ending
}

export function isFinished({ form }: { form: SegmentForm }): boolean {
  return formOf(form).isFinished
}

export function packingOf(form: SegmentForm): Packing | undefined {
  return formOf(form).packing
}

/** The file of a segment in a form. @param name its 24 digits. */
export function fileOf(name: string, form: SegmentForm): string {
  return name + formOf(form).ending
}

/** The files that a segment can have in an archive, the best to read first. */
export function filesOf(name: string, among: readonly SegmentForm[] = segmentForms): string[] {
  return among.map((form) => fileOf(name, form))
}

/** What the name of a file says of the segment in it. */
export interface SegmentFile {
  /** Its 24 digits. */
  name: string
  form: SegmentForm
}

/** The segment that a file is; undefined for what is none of an archive, by its name. */
export function segmentFileOf(file: string): SegmentFile | undefined {
  const [name, ending] = [file.slice(0, 24), file.slice(24)]
  const form = segmentForms.find((one) => formOf(one).ending === ending)
  return form && /^[0-9A-F]{24}$/.test(name) ? { name, form } : undefined
}

/** Whether somebody may still write to a file of WAL, by its name. */
export function isUnfinishedFile(file: string): boolean {
  return unfinishedEndingOf(file) !== undefined
}

/** The segment whose WAL is in a file; pgbk makes none that is packed while it is written, `pg_receivewal --compress` does. */
export function segmentIn(file: string): string | undefined {
  return segmentFileOf(file.slice(0, file.length - (unfinishedEndingOf(file)?.length ?? 0)))?.name
}

function unfinishedEndingOf(file: string): string | undefined {
  return unfinishedForms.map(endingOf).find((ending) => file.endsWith(ending))
}
