import { constants, lstatSync, renameSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { syncPath } from '../../system/files/durable.js'
import { withLock } from '../../system/files/lock.js'
import { readRange } from '../../system/files/read-fully.js'
import { oddFile, openRegularFile } from '../../system/files/read-small.js'
import type { Sendable } from './object-store.js'

const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants

/** What a file that is made beside an object is there for: a key, which has the same drafts. Undefined for what can be an object. */
export function keyOfDraft(key: string): string | undefined {
  const [, above, name] = /^((?:.*\/)?)\.pgbk-([^/]+)\.(?:new|part|lock)$/s.exec(key) ?? []
  return name === undefined ? undefined : `${above}${name}`
}

/** What an interrupted one has left: the file that is to be continued, its lock, and what was to be put in one step. */
export function draftsOf(path: string): [part: string, lock: string, small: string] {
  const start = join(dirname(path), `.pgbk-${basename(path)}`)
  return [`${start}.part`, `${start}.lock`, `${start}.new`]
}

/**
 * Writes a file of any size, which has its name only when it is whole and on disk. What an interrupted one has left is continued as far as
 * it is the same.
 * @throws {PgbkError} `locked` while another does so.
 */
export async function sendToFile(
  path: string,
  what: Sendable,
  onBytes: (bytes: number) => void,
  context: Context,
): Promise<void> {
  const [part, lock] = draftsOf(path)
  await withLock(lock, { purpose: 'upload' }, context, async ({ signal }, { check }) => {
    const file = await open(part, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
    try {
      const kept = await sameBytes(part, what, onBytes)
      await file.truncate(kept)
      await append(file, what, kept, (bytes) => {
        signal.throwIfAborted()
        onBytes(bytes)
      })
      await file.sync()
    } finally {
      await file.close()
    }
    await check()
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw oddFile(path, 'is a directory, where a file was expected')
    renameSync(part, path)
    await rm(lock, { force: true })
  })
  await syncPath(dirname(path))
}

async function append(
  file: FileHandle,
  what: Sendable,
  from: number,
  onBytes: (bytes: number) => void,
): Promise<void> {
  let at = from
  for await (const piece of what.read(from, what.bytes - from)) {
    for (let done = 0; done < piece.length; )
      done += (await file.write(piece, done, piece.length - done, at + done)).bytesWritten
    at += piece.length
    onBytes(piece.length)
  }
  if (at !== what.bytes)
    throw new PgbkError('failed', `what is sent has ${at} bytes in the place of ${what.bytes}`)
}

/** How many bytes of a file are the first ones of what is sent. */
async function sameBytes(part: string, what: Sendable, onBytes: (bytes: number) => void): Promise<number> {
  const file = await openRegularFile(part)
  try {
    const there = Math.min((await file.stat()).size, what.bytes)
    let same = 0
    for await (const piece of there > 0 ? what.read(0, there) : []) {
      const found = Buffer.allocUnsafe(piece.length)
      const read = await readRange(file, same, found, piece.length)
      if (read < piece.length || !found.equals(piece)) return same
      same += piece.length
      onBytes(piece.length)
    }
    return same
  } finally {
    await file.close()
  }
}
