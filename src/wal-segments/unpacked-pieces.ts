import { Readable, type Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import zlib from 'node:zlib'
import type { Environment } from '../context.js'
import { factsOf, messageOf, PgbkError, systemCode } from '../errors.js'
import { piecesOf } from '../system/files/read-small.js'
import { startFilter } from '../system/program/start-program.js'
import type { Packing } from './segment-forms.js'
import { hasZstdProgram, noZstd, zstdOfNode } from './zstd.js'

/** Where programs that unpack are found, and what ends them. */
export interface Unpacking {
  env: Environment
  signal: AbortSignal
}

/** A file that cannot be unpacked to its end. */
export class NotUnpacked extends PgbkError {
  /** @param said what the unpacker says of it. */
  constructor(
    path: string,
    readonly said: string,
    cause?: unknown,
  ) {
    super('damaged', `WAL segment ${path} is damaged: ${said}`, {
      cause,
      facts: { path, reason: `it is damaged: ${said}` },
    })
  }
}

/**
 * What a packed file holds. Whoever stops taking ends it.
 * @throws a system error; {@link NotUnpacked}; {PgbkError} `damaged` when it is not a file, `programs-missing`.
 */
export function unpackedPieces(path: string, packing: Packing, place: Unpacking): AsyncGenerator<Buffer> {
  if (packing === 'gzip') return byNode(path, zlib.createGunzip({ chunkSize }))
  // Node takes the beginning of a file for all of it.
  if (hasZstdProgram(place.env) || !zstdOfNode) return byProgram(path, place)
  return byNode(path, zstdOfNode({ chunkSize }))
}

const chunkSize = 256 << 10

async function* byNode(path: string, unpacker: Transform): AsyncGenerator<Buffer> {
  const source = Readable.from(piecesOf(path), { objectMode: false })
  let unread: unknown
  source.on('error', (error) => {
    unread = error
    unpacker.destroy(error)
  })
  try {
    yield* source.pipe(unpacker)
  } catch (error) {
    throw error === unread ? error : new NotUnpacked(path, messageOf(error), error)
  } finally {
    source.destroy()
    unpacker.destroy()
  }
}

async function* byProgram(path: string, { env, signal }: Unpacking): AsyncGenerator<Buffer> {
  const enough = new AbortController()
  const ended = AbortSignal.any([signal, enough.signal])
  // A file that is not there is told before a program that is not.
  const pieces = piecesOf(path)
  const first = await pieces.next()
  const zstd = await startZstd(path, { env, signal: ended })
  const fed = Promise.allSettled([pipeline(joined(first, pieces), zstd.input)])
  const over = Promise.allSettled([zstd.succeeded()])
  try {
    yield* zstd.output
    const [[feeding], [ending]] = await Promise.all([fed, over])
    signal.throwIfAborted()
    // Where zstd ended before, its input only broke.
    if (feeding.status === 'rejected' && !isBroken(feeding.reason)) throw feeding.reason
    if (ending.status === 'rejected') throw new NotUnpacked(path, saidBy(ending.reason), ending.reason)
  } finally {
    enough.abort()
    await Promise.all([fed, over])
  }
}

function isBroken(error: unknown): boolean {
  return ['EPIPE', 'ERR_STREAM_PREMATURE_CLOSE'].includes(systemCode(error) ?? '')
}

async function startZstd(path: string, place: Unpacking) {
  try {
    return await startFilter('zstd', ['-dc'], place)
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'programs-missing') throw error
    throw noZstd(`WAL segment ${path} cannot be unpacked`, error)
  }
}

async function* joined(first: IteratorResult<Buffer>, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (!first.done) yield first.value
  yield* rest
}

/** `zstd: /*stdin*\: unsupported format` without what it calls its input. */
function saidBy(error: unknown): string {
  const { said } = factsOf(error)
  return said?.replace(/^(zstd: )?(\/\*stdin\*\\ ?: )?/, '') || messageOf(error)
}
