import type { Sendable } from '../../system/files/sendable.js'

/** A file as it lies in a store. */
export interface Parcel {
  /** Below the backup's prefix. */
  name: string
  what: Sendable
}

/** A file that was sent, as it lies there. */
export interface SentFile {
  name: string
  bytes: number
  sha256: string
}

/** What is put into a store last of all, and what goes with it. */
export interface WrappedRecord {
  clear: Buffer
  /** What must be there before it. */
  beside: Parcel[]
}

/** A content, and a directory in which is kept what makes the same bytes of it the next time: of that content alone. */
export interface SameAgain {
  sha256: string
  directory: string
}

/** How files go to a store: as they are, or encrypted. */
export interface Wrapping {
  encrypts: boolean
  /** The same for those who read the same: the recipients, without their names. */
  whose: string
  /** What a file is called there. */
  nameOf(name: string): string
  /** Without `again`, the bytes are others each time. */
  wrap(name: string, what: Sendable, again?: SameAgain): Promise<Parcel>
  /** @param readme what belongs to the image. */
  wrapRecord(record: Buffer, readme: Sendable, image: SentFile): Promise<WrappedRecord>
}

/** Nothing is encrypted. */
export const plainWrapping: Wrapping = {
  encrypts: false,
  whose: 'everybody',
  nameOf: (name) => name,
  wrap: async (name, what) => ({ name, what }),
  wrapRecord: async (clear, readme) => ({ clear, beside: [{ name: 'README', what: readme }] }),
}
