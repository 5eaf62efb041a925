import { join } from 'node:path'
import { neededDirectories } from '../backup/data-directories.js'
import { exemptFromManifest, manifestFilesNow } from '../backup/manifest.js'
import { PgbkError } from '../errors.js'
import type { Listing } from './listing.js'
import { linkedTablespacesIn, manifestName, nameInBackup, someOf } from './names.js'
import type { Source } from './source.js'

/**
 * Whether a source has all that the manifest names, which has just come: a copy by other tools may be half there.
 * @param directory of the download.
 * @throws {PgbkError} `damaged`.
 */
export function checkListed(directory: string, listing: Listing, { name: source }: Source): void {
  const here = new Set([...listing.directories, ...listing.files])
  const linked = linkedTablespacesIn(listing)
  const missing = neededDirectories.map((name) => `snapshot/data/${name}`).filter((name) => !here.has(name))
  for (const file of manifestFilesNow(join(directory, manifestName))) {
    const name = nameInBackup(file.path, linked)
    if (!here.has(name) && !exemptFromManifest.has(file.path)) missing.push(name)
  }
  if (missing.length === 0) return
  throw new PgbkError('damaged', `the backup in ${source} is not all there: it lacks ${someOf(missing)}`, {
    hint: 'Was it copied there by a program that was interrupted? Choose another backup (pgbk list --from).',
  })
}
