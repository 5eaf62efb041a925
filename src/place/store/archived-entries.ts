import type { BytePath } from '../../system/paths/byte-path.js'
import { archiveNames, type Listing } from '../contract/listing.js'
import type { TarEntry, TarFile } from './write-tar.js'

/** What is to be in the archive of a backup. */
export interface Archived {
  id: string
  listing: Listing
  record: TarFile
}

/**
 * The entries of an archive, in its order.
 * @param fileOf gives a file of the backup, by its name in there and in the archive; or says that it is not there any more.
 * @param gone is told of that.
 */
export async function* archivedEntries(
  { id, listing, record }: Archived,
  fileOf: (name: BytePath, inArchive: BytePath) => Promise<TarFile | string>,
  gone: (complaint: string) => void,
): AsyncGenerator<TarEntry> {
  const top = `data/backup/${id}`
  const files = new Set<string>(listing.files)
  for (const name of archiveNames(id, listing)) {
    const below = name.slice(top.length + 1) as BytePath
    if (below === 'backup.json') yield { name, file: record }
    else if (!files.has(below)) yield { name, file: undefined }
    else {
      const file = await fileOf(below, name)
      if (typeof file === 'string') gone(file)
      else yield { name, file }
    }
  }
}
