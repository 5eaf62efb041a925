import type { StoredBackup } from '../../catalog/backup.js'
import type { Catalog } from '../../catalog/catalog.js'
import type { PartialMarker } from '../../catalog/partial.js'
import type { Context } from '../../context.js'
import type { HeldLock } from '../../system/files/lock.js'
import type { BytePath } from '../../system/paths/byte-path.js'
import type { FileWriter } from './file-writer.js'
import type { Listing } from './listing.js'

/** Bytes of a file: from an offset on, so many of them, or to its end. */
export interface FileRange {
  from: number
  length?: number
}

/**
 * Where backups lie, to read from. Each is whole or not listed; its files never change, but more WAL may come, and another pgbk may remove
 * it at any moment. What a place says and sends is not trusted. What does not exist, or has gone, is `not-found`; what may not be read is
 * `failed`; a place that does not answer is `unreachable`.
 */
export interface Place<B extends StoredBackup = StoredBackup> {
  /** As the user named it. */
  readonly name: string
  /** The root, where that is a directory of this machine. */
  readonly directory: string | undefined
  /** Where a backup is, for a person. It need not be there. */
  locationOf(id: string): string
  /** All backups, newest first, and what lies among them without being one. A place without any has none. */
  list(): Promise<Catalog<B>>
  /** The record's bytes, the same ones however often they are asked for. */
  readRecord(backup: B): Promise<Buffer>
  /** All that is in it now, but its record and what was put beside it. @throws {PgbkError} as `checkListing`. */
  files(backup: B): Promise<Listing>
  /** Reads bytes of a file: fewer, or none, where it is shorter. */
  read<T>(
    backup: B,
    name: BytePath,
    range: FileRange,
    take: (bytes: AsyncIterable<Buffer>) => Promise<T>,
  ): Promise<T>
  /**
   * Sends files to a writer, in any order, as far as they are still there: who asks looks at what has come.
   * @returns what the programs there complained of.
   */
  transfer(backup: B, names: BytePath[], writer: FileWriter): Promise<string>
  /**
   * Makes one tar of it, `data/backup/<id>/...`, with what is listed and, last of all, its record.
   * @returns what the programs there complained of.
   */
  archive(backup: B, listing: Listing, take: (tar: AsyncIterable<Buffer>) => Promise<void>): Promise<string>
}

/** What only one pgbk does at a time. The set of backups changes under `catalog`, for moments; a create may take hours. */
export type LeaseKind = 'create' | 'pack' | 'catalog'

/** A backup that is being made: not listed, and thrown away by whoever finds it without its maker. */
export interface Staged {
  readonly id: string
}

/**
 * A place to write to. How files come into a staged backup is its own affair: programs write into a directory, a store is sent them.
 */
export interface WritablePlace<B extends StoredBackup, S extends Staged> extends Place<B> {
  /**
   * An empty staged backup. Its id is that of its start, or the next second's where that is taken.
   * @param marker for whoever finds it without its maker.
   */
  stage(startedAt: Date, marker: PartialMarker): Promise<S>
  /**
   * Lists a staged backup, whose files are safe already, in one step: before it, and where it fails, there is none.
   * @param check is asked last of all, and throws when that must no longer happen.
   */
  publish(staged: S, record: string, check: () => Promise<void>): Promise<B>
  /** Removes what was not published. A second time does nothing. */
  discard(staged: S): Promise<void>
  /**
   * Removes a backup. From the first step on it is not listed, whatever happens then; what is left after a failure is thrown away later.
   * Only under the lease of `catalog`.
   * @param last what has to be done when it is no longer listed, before its files go.
   */
  remove(backup: B, last?: () => Promise<void>): Promise<void>
  /**
   * Works while no other pgbk can have the same lease, on any machine. It ends with its holder, however that ends; when it is lost, the
   * signal that `work` gets is aborted, and `check` throws `lock-lost`.
   * @throws {PgbkError} `locked`, naming the holder, unless it waits.
   */
  lease<T>(
    kind: LeaseKind,
    options: { purpose: string; wait?: boolean },
    context: Context,
    work: (guarded: Context, lease: HeldLock) => Promise<T>,
  ): Promise<T>
}
