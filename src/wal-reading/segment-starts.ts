import { PgbkError } from '../errors.js'
import { readPiece } from '../system/files/read-small.js'
import { readWalPage } from '../wal-segments/wal-page.js'
import { damageOf, type WalDamage } from './wal-damage.js'
import { pathInWaldump, type WaldumpDirectory, type WalStep, withSegments } from './waldump-directory.js'

/**
 * Looks whether segments are of the right server and place, which pg_waldump does not, and whether compressed ones can be
 * unpacked. Returns the first that is not as it should be.
 */
export async function checkSegmentStarts(
  waldump: WaldumpDirectory,
  { first, last }: WalStep,
  systemIdentifier: string,
): Promise<WalDamage | undefined> {
  for (let index = first; index <= last; index++) {
    const reason = await faultAt(waldump, index, systemIdentifier)
    if (reason !== undefined) return damageOf(waldump.wal.chain, index, { reason, isReadable: false })
  }
  return undefined
}

async function faultAt(
  waldump: WaldumpDirectory,
  index: number,
  systemIdentifier: string,
): Promise<string | undefined> {
  try {
    return await faultOfStart(waldump, index, systemIdentifier)
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return error.facts.reason ?? error.message
    throw error
  }
}

/** The long header of a segment's first page. */
const beginning = 40

async function faultOfStart(
  waldump: WaldumpDirectory,
  index: number,
  systemIdentifier: string,
): Promise<string | undefined> {
  const segment = waldump.wal.chain[index]
  if (!segment) return undefined
  const step = { first: index, last: index }
  const begin = await withSegments(waldump, step, async ([name = '']) =>
    readPiece(pathInWaldump(waldump, name), 0, beginning),
  )
  if (begin.length < beginning) return `it has only ${begin.length} bytes`
  const { magic, address, long } = readWalPage(begin)
  if (magic === 0 || !long) return 'it does not begin with a page of WAL'
  if (long.systemIdentifier !== systemIdentifier)
    return `it is from another cluster (system identifier ${long.systemIdentifier})`
  return address === segment.segment * BigInt(waldump.segmentSize)
    ? undefined
    : 'it is another segment under this name'
}
