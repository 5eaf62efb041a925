import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { checkPlainTree } from '../snapshot/check-plain-tree.js'
import { syncPath } from '../system/files/durable.js'
import { piecesOf } from '../system/files/read-small.js'
import { feedProgram, type Put } from '../system/program/feed-program.js'
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
  await run('mksquashfs', ['.', file, ...imageOptions()], { env, signal, cwd: directory })
  await syncPath(file)
}

/**
 * Without the search for files that are the same: it is what writes blocks that nobody can read, once in some hundred images here (4.5.1,
 * files that template databases have in common), and in several ways elsewhere (squashfs-tools' issues 361 and 362; 4.7.4).
 */
function imageOptions(): string[] {
  return [
    ...['-noappend', '-no-xattrs', '-no-duplicates', '-exit-on-error', '-no-progress', '-quiet'],
    ...['-comp', 'zstd', '-Xcompression-level', '1', '-b', '128K'],
    ...['-processors', String(availableParallelism()), '-mem', memory],
  ]
}

/** Whether mksquashfs here makes an image of a tar: from 4.5 on (Debian 12; Debian 11 has 4.4). */
export async function readsTar({ env, signal }: Surroundings): Promise<boolean> {
  const { stdout } = await runProgram('mksquashfs', ['-version'], { env, signal })
  const [, major = 0, minor = 0] = /version (\d+)\.(\d+)/.exec(stdout) ?? []
  return Number(major) > 4 || (Number(major) === 4 && Number(minor) >= 5)
}

/** To whom all in an image belongs. */
export interface ImageOwner {
  uid: number
  gid: number
}

/**
 * The same of a tar that is made while the image is, which is not flushed: its names are below the image's top, and its directories need
 * not come before what is in them.
 * @throws {PgbkError} as `makeImage`; what `feed` throws.
 */
export async function imageOfTar<T>(
  file: string,
  { uid, gid }: ImageOwner,
  { env, signal }: Surroundings,
  feed: (put: Put) => Promise<T>,
): Promise<T> {
  const owner = ['-force-uid', String(uid), '-force-gid', String(gid), '-root-mode', '0700']
  const args = ['-', file, '-tar', ...imageOptions(), ...owner]
  const [program = '', ...words] = boundToThisProcess('mksquashfs', args)
  const fed = await feedProgram(program, words, { env, signal }, feed)
  if (fed.tookAll && fed.outcome.status === 'rejected') throw fed.outcome.reason
  checkEnd('mksquashfs', fed)
  if (fed.outcome.status === 'rejected')
    throw new PgbkError('failed', 'mksquashfs failed: it has not read all of the backup', {
      cause: fed.outcome.reason,
    })
  return fed.outcome.value
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

async function run(program: string, args: string[], place: Surroundings & { cwd?: string }): Promise<void> {
  const [file = '', ...words] = boundToThisProcess(program, args)
  checkEnd(program, await runProgram(file, words, place))
}

/** It ends with this process: it would go on writing into what the next one clears away. */
function boundToThisProcess(program: string, args: string[]): string[] {
  return ['setpriv', '--pdeathsig', 'KILL', program, ...args]
}

function checkEnd(program: string, end: ProgramEnd): void {
  const { status, endedBy, stdout, stderr } = end
  if (status === 0) return
  if (status === 127)
    throw new PgbkError('programs-missing', `${program} is not installed`, { hint: toolsHint })
  const said =
    (stderr.trim() || stdout.trim()).split('\n').slice(-3).join('; ') || `it ended with ${status ?? endedBy}`
  const isFull = /No space left on device|Disk quota exceeded/.test(said)
  if (isFull)
    throw new PgbkError('disk-full', `${program} failed: ${said}`, {
      hint: 'Make room there, and try again.',
    })
  throw new PgbkError('failed', `${program} failed: ${said}`)
}

type ProgramEnd = Pick<Awaited<ReturnType<typeof runProgram>>, 'status' | 'endedBy' | 'stdout' | 'stderr'>

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
