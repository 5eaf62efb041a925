import { type ErrorFacts, PgbkError } from '../errors.js'
import { type ArchivedSegment, type ArchivedWal, upToSegment } from '../wal-archive/archived-wal.js'

/** Where the WAL of a chain cannot be read on. */
export interface WalDamage {
  /** The index of the segment in the chain. */
  index: number
  /** What is wrong with it, without its name. */
  reason: string
  /** Whether what comes before the damage in this segment can be used. */
  isReadable: boolean
  error: DamagedSegment
}

/** `path` is the archive. */
export type DamageFacts = Required<Pick<ErrorFacts, 'segment' | 'path' | 'reason' | 'isReadable'>> &
  Pick<ErrorFacts, 'file'>

/** The same as an error, which names the segment: chains that begin elsewhere may lead there too. */
export class DamagedSegment extends PgbkError {
  declare readonly facts: DamageFacts

  constructor(facts: DamageFacts) {
    super('damaged', damageText(facts.segment, facts.path, facts.reason), {
      facts,
      hint: 'What comes after it cannot be replayed. A later backup, or another copy of the segment, can.',
    })
  }
}

/** `WAL segment NAME in DIRECTORY is damaged: ...` */
export function damageText(segment: string, directory: string, reason: string): string {
  return `WAL segment ${segment} in ${directory} ${reason.replace(/^it /, '')}`
}

export function damageOf(
  chain: ArchivedSegment[],
  index: number,
  { reason, isReadable }: Pick<WalDamage, 'reason' | 'isReadable'>,
): WalDamage {
  const { name: segment = '', directory: path = '', file = '' } = chain[index] ?? {}
  return { index, reason, isReadable, error: new DamagedSegment({ segment, path, file, reason, isReadable }) }
}

/** What an error says of a chain; undefined where that does not lead through this copy of the segment. */
export function damageIn(chain: ArchivedSegment[], error: DamagedSegment): WalDamage | undefined {
  const { segment, path, file, reason, isReadable } = error.facts
  const index = chain.findIndex(
    (one) => one.name === segment && one.directory === path && (file ?? one.file) === one.file,
  )
  return index === -1 ? undefined : { index, reason, isReadable, error }
}

/** The chain up to a damaged segment, of which what can be read counts. */
export function upTo(wal: ArchivedWal, { index, reason, isReadable }: WalDamage): ArchivedWal {
  const { chain } = wal
  const damaged = chain[index]
  if (!damaged) return wal
  const [after, next] = [chain[index - 1]?.name, chain[index + 1]?.name]
  return upToSegment(wal, damaged, { gap: { after, missing: damaged.name, next, reason }, isReadable })
}
