import type { Sendable } from '../../system/files/sendable.js'
import type { FileRange } from '../contract/place.js'

export type { Sendable }

/** A file of a store. */
export interface StoredObject {
  /** Below the store's prefix; `/` separates. */
  key: string
  bytes: number
  /** By the store's clock. */
  changedAt: Date
  /** What the store calls this content of it, where it does: another content has another tag. */
  tag?: string | undefined
}

/** Why an object stays for now, though it was to go: Object Lock, or a legal hold (without a date). */
export interface KeptObject {
  key: string
  until: Date | undefined
}

/**
 * Files by their keys, elsewhere: S3, a directory, a host. An object is there whole or not at all. What a store says and sends is not
 * trusted. What does not exist is `not-found`; what may not be done is `failed`; a store that does not answer, however often it is asked
 * again, is `unreachable`.
 */
export interface ObjectStore {
  /** As the user named it. */
  readonly name: string
  /** The directory, where it is one of this machine. */
  readonly directory: string | undefined
  /** Where an object is, for a person. */
  locationOf(key: string): string
  /** All whose keys begin so, in no order, however many there are. */
  list(prefix: string): AsyncIterable<StoredObject>
  /** Names of what lies right below a prefix that ends with `/`, as directories. */
  directoriesIn(prefix: string): Promise<string[]>
  stat(key: string): Promise<StoredObject | undefined>
  /** @throws {PgbkError} `not-found`. */
  read<T>(key: string, range: FileRange, take: (bytes: AsyncIterable<Buffer>) => Promise<T>): Promise<T>
  /**
   * Puts a small object, in one step.
   * @param ifAbsent where there is one already, that stays, as far as the store can do that.
   * @returns whether it was put.
   */
  put(key: string, bytes: Buffer, ifAbsent?: boolean): Promise<boolean>
  /**
   * Sends an object of any size, in parts and some of them at once; parts of it that an interrupted upload has left are taken, once they
   * were seen to be the same. Nothing of it is there before all of it is.
   * @param onBytes is told of bytes as they are there, also of those that were.
   */
  send(key: string, what: Sendable, onBytes: (bytes: number) => void): Promise<StoredObject>
  /** Removes what is there of them, and what interrupted uploads of them have left. @returns what had to stay. */
  remove(keys: string[]): Promise<KeptObject[]>
  /**
   * What interrupted uploads have left of objects whose keys begin so, by these keys, with what is there of their bytes and the time at which
   * the last was added; the same key may come more than once. Nothing where these credentials may not look.
   */
  unfinished(prefix: string): AsyncIterable<StoredObject>
  /** Removes that of them, and no object. */
  discard(keys: string[]): Promise<void>
  /** Lets go of what it holds: sockets. */
  close(): Promise<void>
}
