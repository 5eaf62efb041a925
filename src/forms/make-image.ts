import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { checkPlainTree } from '../snapshot/check-plain-tree.js'
import { syncPath } from '../system/files/durable.js'
import { piecesOf } from '../system/files/read-small.js'
import { runProgram } from '../system/program/run-program.js'

type Surroundings = Pick<Context, 'env' | 'signal'>

/** Of mksquashfs, which takes half a gigabyte otherwise. */
const memory = '128M'

/** Of unsquashfs, which takes as much: MB of the blocks that wait to be written, and of ends of files. */
const queues = ['-data-queue', '32', '-frag-queue', '32']

/**
 * Packs a directory into an image, which is on disk then: zstd of level 1 and blocks of 128 KiB, which squashfs-tools from 4.4 on read
 * (Debian 11), as do Linux from 4.14 on, squashfuse and 7-Zip.
 * @throws {PgbkError} `programs-missing`, `disk-full`, or `failed` with what mksquashfs has said; something of it may be there then.
 */
export async function makeImage(
  directory: string,
  file: string,
  { env, signal }: Surroundings,
): Promise<void> {
  const args = [
    ...['.', file, '-noappend', '-no-xattrs', '-exit-on-error', '-no-progress', '-quiet'],
    ...['-comp', 'zstd', '-Xcompression-level', '1', '-b', '128K'],
    ...['-processors', String(availableParallelism()), '-mem', memory],
  ]
  await run('mksquashfs', args, { env, signal, cwd: directory })
  await syncPath(file)
}

/**
 * Unpacks an image into a directory that is not there yet, with a plain tool: not flushed. Nothing in there leads out of it.
 * @param only a directory in it, if not all is wanted.
 * @throws {PgbkError} as `makeImage`; `damaged` when something does.
 */
export async function unpackImage(
  file: string,
  directory: string,
  { env, signal }: Surroundings,
  only?: string,
): Promise<void> {
  const wanted = only === undefined ? [] : [only]
  const args = ['-no-progress', '-no-xattrs', ...queues, '-d', directory, file, ...wanted]
  await run('unsquashfs', args, { env, signal })
  await checkPlainTree(directory, signal)
}

/** It ends with this process: it would go on writing into what the next one clears away. */
async function run(program: string, args: string[], place: Surroundings & { cwd?: string }): Promise<void> {
  const { status, stdout, stderr } = await runProgram(
    'setpriv',
    ['--pdeathsig', 'KILL', program, ...args],
    place,
  )
  if (status === 0) return
  if (status === 127)
    throw new PgbkError('programs-missing', `${program} is not installed`, { hint: toolsHint })
  const said = (stderr.trim() || stdout.trim()).split('\n').slice(-3).join('; ') || `it ended with ${status}`
  const isFull = /No space left on device|Disk quota exceeded/.test(said)
  throw new PgbkError(isFull ? 'disk-full' : 'failed', `${program} failed: ${said}`)
}

const toolsHint =
  'Install squashfs-tools (Debian, Ubuntu, Fedora: package squashfs-tools; Homebrew: squashfs).'

export interface ImageFacts {
  bytes: number
  sha256: string
}

/** What tells an image from all others: all of it is read. @throws the signal's reason when aborted. */
export async function imageFacts(file: string, { signal }: Pick<Context, 'signal'>): Promise<ImageFacts> {
  const hash = createHash('sha256')
  for await (const piece of piecesOf(file)) {
    signal.throwIfAborted()
    hash.update(piece)
  }
  return { bytes: statSync(file).size, sha256: hash.digest('hex') }
}
