import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs'
import { type BytePath, joinBytes } from '../../system/paths/byte-path.js'
import { bytesInside } from '../../system/paths/inside.js'
import { isKeptAside } from './kept-aside.js'
import { splitTar, type TakeContent } from './split-tar.js'
import { type TarMember, writeTarHeader } from './tar-header.js'

/** What has come with a tar. */
export interface SortedTar {
  /** Of the files that have gone on. */
  bytes: number
  files: number
  /** When the first segment of WAL came: a server sends all that is fetched after the end of the backup. */
  walCameAt: Date | undefined
}

interface TarSorter {
  /** @returns what of it, and of what came before, goes on. */
  take(chunk: Buffer): Buffer[]
  /** After the last piece. @throws {PgbkError} `damaged` when it was no whole tar. */
  end(): SortedTar
}

/**
 * Sorts the tar of a base backup while it passes: directories, and the files that are kept aside, are written to disk, and all others go
 * on as members of another tar.
 * @param data the data directory on disk. @param prefix its name in the other tar.
 * @throws {PgbkError} `damaged`, from `take`, for what a base backup does not have, before it goes on; a system error where it
 * cannot be written.
 */
export function sortTar(data: string, prefix: BytePath, now: () => Date): TarSorter {
  const sorted: SortedTar = { bytes: 0, files: 0, walCameAt: undefined }
  let passed: Buffer[] = []
  const pass = (member: TarMember): TakeContent => {
    sorted.bytes += member.size
    sorted.files++
    passed.push(writeTarHeader({ ...member, name: joinBytes(prefix, member.name) }))
    return (bytes) => void passed.push(bytes)
  }
  const splitter = splitTar((member) => {
    const path = bytesInside(data, member.name)
    if (/^pg_wal\/[0-9A-F]{24}$/.test(member.name)) sorted.walCameAt ??= now()
    if (member.kind === 'file') return isKeptAside(member) ? newFile(path, member.size) : pass(member)
    mkdirSync(path, { recursive: true, mode: 0o700 })
    return () => {}
  })
  return {
    take: (chunk) => {
      passed = []
      splitter.take(chunk)
      return passed
    },
    end: () => {
      splitter.end()
      return sorted
    },
  }
}

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants

/** It is not flushed: from here it goes into the image. */
function newFile(path: string | Buffer, size: number): TakeContent {
  const descriptor = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  if (size === 0) closeSync(descriptor)
  let left = size
  return (bytes) => {
    const own = bytes.subarray(0, left)
    if (own.length === 0) return
    for (let at = 0; at < own.length; ) at += writeSync(descriptor, own, at)
    left -= own.length
    if (left === 0) closeSync(descriptor)
  }
}
