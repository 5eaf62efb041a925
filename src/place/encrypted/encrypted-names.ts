import type { BytePath } from '../../system/paths/byte-path.js'
import type { Listing } from '../contract/listing.js'
import { isLeftOut } from '../contract/names.js'

const ending = '.age'

/** What a file of a backup is called once it is encrypted. */
export function encryptedName(name: BytePath): BytePath {
  return `${name}${ending}` as BytePath
}

/** Whether a file is one that only a reader of an encrypted backup looks for. */
export function isEncryptedName(name: string): boolean {
  return name.endsWith(ending)
}

/** What a backup has before it is encrypted: the README in clear, and what is not encrypted, are no part of it. */
export function decryptedListing({ directories, files, bytes }: Listing): Listing {
  const encrypted = files.filter(isEncryptedName)
  const named = encrypted.map((name) => [name.slice(0, -ending.length) as BytePath, name] as const)
  const told = named.map(([name, lying]) => [name, bytes?.get(lying) ?? 0] as const)
  return {
    ...{ directories, files: named.map(([name]) => name).filter((name) => !isLeftOut(name)), links: [] },
    ...(bytes && { bytes: new Map(told) }),
  }
}
