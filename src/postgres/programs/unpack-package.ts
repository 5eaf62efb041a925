import { mkdirSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { Parser, type ReadEntry } from 'tar'
import { PgbkError } from '../../errors.js'

const mostBytes = 2 * 1024 ** 3

/**
 * Unpacks a tarball of npm, which has all below `package/`, into a new directory: regular files and directories only, none of them
 * outside of it or twice. Its files belong to the caller alone.
 * @throws {PgbkError} `damaged` for anything else; what was unpacked before stays.
 */
export async function unpackPackage(tarball: Buffer, directory: string): Promise<void> {
  mkdirSync(directory, { mode: 0o700 })
  const written: Promise<void>[] = []
  let fault: unknown
  let bytes = 0
  const parser = new Parser({
    onReadEntry: (entry) => {
      try {
        if (fault !== undefined) throw fault
        bytes += entry.size
        if (bytes > mostBytes) throw damaged('it is too large')
        written.push(unpack(entry, directory))
      } catch (error) {
        fault ??= error
        entry.resume()
      }
    },
    onwarn: (_code, message) => {
      fault ??= damaged(String(message))
    },
  })
  try {
    await pipeline(Readable.from(tarball), createGunzip(), parser)
  } catch (error) {
    fault ??= error
  }
  const ends = await Promise.allSettled(written)
  const failed = ends.find((end) => end.status === 'rejected')
  if (fault !== undefined || failed) throw fault ?? failed?.reason
}

function unpack(entry: ReadEntry, directory: string): Promise<void> {
  const parts = entry.path.replace(/\/$/, '').split('/')
  if (parts[0] !== 'package' || parts.some((part) => part === '' || part === '.' || part === '..'))
    throw damaged(`${JSON.stringify(entry.path)} is not a valid name in a package`)
  const path = join(directory, ...parts.slice(1))
  if (entry.type === 'Directory') {
    mkdirSync(path, { recursive: true })
    entry.resume()
    return Promise.resolve()
  }
  if (entry.type !== 'File' && entry.type !== 'OldFile')
    throw damaged(`${JSON.stringify(entry.path)} is a ${entry.type}`)
  mkdirSync(dirname(path), { recursive: true })
  const mode = ((entry.mode ?? 0) & 0o100) === 0 ? 0o600 : 0o700
  return write(entry, path, mode)
}

async function write(entry: ReadEntry, path: string, mode: number): Promise<void> {
  try {
    // No link can be in the way: nothing here makes one.
    const file = await open(path, 'wx', mode)
    await pipeline(entry as unknown as Readable, file.createWriteStream())
  } catch (error) {
    entry.resume()
    throw error
  }
}

function damaged(why: string): PgbkError {
  return new PgbkError('damaged', `the package is not unpacked: ${why}`)
}
