import type { Sendable } from '../system/files/sendable.js'

/** A file as it lies in a store. */
export interface Parcel {
  /** Below the backup's prefix. */
  name: string
  what: Sendable
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
  /** What a file is called there. */
  nameOf(name: string): string
  /** Without `again`, the bytes are others each time. */
  wrap(name: string, what: Sendable, again?: SameAgain): Promise<Parcel>
  /** @param readme the image's own. */
  wrapRecord(record: Buffer, readme: Sendable): Promise<WrappedRecord>
}

/** Nothing is encrypted. */
export const plainWrapping: Wrapping = {
  encrypts: false,
  nameOf: (name) => name,
  wrap: async (name, what) => ({ name, what }),
  wrapRecord: async (clear, readme) => ({ clear, beside: [{ name: 'README', what: readme }] }),
}
