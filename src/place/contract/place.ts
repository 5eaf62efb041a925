import type { LocalBackup } from '../../catalog/backup.js'
import type { Catalog } from '../../catalog/catalog.js'
import type { BytePath } from '../../system/paths/byte-path.js'
import type { FileWriter } from './file-writer.js'
import type { Listing } from './listing.js'

/** Another root, to read from. What it says and sends is not trusted. */
export interface Source {
  /** As the user gave it. */
  readonly name: string
  /** The directory with all links resolved, where it is on this machine. */
  readonly realDirectory: string | undefined
  /**
   * All its backups, as `readCatalog` has them.
   * @throws {PgbkError} `unreachable`; `not-found` when it is not a root; `failed` when it may not be read.
   */
  catalog(): Promise<Catalog>
  /** The record's bytes, as they were when the catalogue was read. */
  recordOf(backup: LocalBackup): Buffer
  /** All that is in a backup now. @throws {PgbkError} as `checkListing`; `not-found` when it is being removed, or gone. */
  listing(backup: LocalBackup): Promise<Listing>
  /**
   * Sends these files to the receiver, as far as they are still there.
   * @returns what the programs there complained of.
   */
  transfer(backup: LocalBackup, names: BytePath[], writer: FileWriter): Promise<string>
  /**
   * Makes one tar of the backup, `data/backup/<id>/...`, with what is listed.
   * @returns what the programs there complained of.
   */
  archive(
    backup: LocalBackup,
    listing: Listing,
    read: (tar: AsyncIterable<Buffer>) => Promise<void>,
  ): Promise<string>
}
