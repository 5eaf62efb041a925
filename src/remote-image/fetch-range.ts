import { setTimeout as sleep } from 'node:timers/promises'
import { PgbkError } from '../errors.js'
import { unstalled } from '../place/contract/unstalled.js'

/** Bytes of a file that is elsewhere: as `Place.read`, of one file. */
export type ReadImageRange = <T>(
  range: { from: number; length: number },
  take: (bytes: AsyncIterable<Buffer>) => Promise<T>,
) => Promise<T>

export interface FetchOptions {
  read: ReadImageRange
  /** How it is called in messages. */
  name: string
  /** How long nothing may come, and what is waited before another attempt, in ms. */
  stallMs: number
  pausesMs: readonly number[]
}

/** How long somebody waits who looks again every so many ms. */
export function patience(tickMs: number): Pick<FetchOptions, 'stallMs' | 'pausesMs'> {
  return { stallMs: 60 * tickMs, pausesMs: [tickMs / 5, tickMs, 3 * tickMs] }
}

/**
 * Reads a range, again where that fails in a way that may pass: a lost connection, a stall, a body that ends early. Never more than was
 * asked for is kept.
 * @param mayTryAgain asked after a failure.
 * @throws {PgbkError} as `read`; `unreachable` after a stall; `damaged` when there are fewer, or more, bytes than asked for.
 */
export async function fetchRange(
  from: number,
  length: number,
  options: FetchOptions,
  mayTryAgain: () => boolean,
): Promise<Buffer> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await options.read({ from, length }, (bytes) => exactly(bytes, from, length, options))
    } catch (error) {
      const pause = options.pausesMs[attempt]
      const isFinal = error instanceof PgbkError && finalCodes.has(error.code)
      if (pause === undefined || isFinal || !mayTryAgain()) throw error
      await sleep(pause)
    }
  }
}

/** What another attempt does not mend. */
const finalCodes = new Set(['not-found', 'usage', 'config', 'interrupted', 'terminated', 'hung-up'])

async function exactly(
  bytes: AsyncIterable<Buffer>,
  from: number,
  length: number,
  { name, stallMs }: FetchOptions,
): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(length)
  let at = 0
  for await (const piece of unstalled(bytes, stallMs, () => stalled(name, stallMs))) {
    if (at + piece.length > length) throw otherLength(name, from, length, 'more')
    at += piece.copy(whole, at)
  }
  if (at < length) throw otherLength(name, from, length, `only ${at}`)
  return whole
}

function stalled(name: string, ms: number): PgbkError {
  return new PgbkError('unreachable', `${name} has sent next to nothing for ${Math.round(ms / 1000)} s`)
}

function otherLength(name: string, from: number, length: number, got: string): PgbkError {
  return new PgbkError('damaged', `${name} sends ${got} of the ${length} bytes from ${from} on`, {
    hint: 'Was it copied there by a program that was interrupted? Compare it with pgbk verify --from, or choose another backup.',
  })
}
