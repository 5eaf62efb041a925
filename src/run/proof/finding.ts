import { messageOf, PgbkError, systemCode } from '../../errors.js'
import { lockNotAvailable, namesDamage, wordsOf, wordsText } from '../../postgres/sql/server-words.js'

/**
 * What a proof has found: damage of the backup, or that something could not be proven, and why. A failure is damage only where it
 * names some; whatever else happens is a matter of this machine, of the data's settings, or of a lock.
 */
export type Finding =
  | { kind: 'damage'; text: string }
  /** `database` is null for the backup as a whole. */
  | { kind: 'unproven'; database: string | null; reason: string }

interface FindingSubject {
  database: string | null
  /** `table public.orders`; absent for the database as a whole. */
  what?: string
}

export function damage({ database, what }: FindingSubject, text: string): Finding {
  return { kind: 'damage', text: [database && `database ${database}`, what, text].filter(Boolean).join(': ') }
}

export function unproven({ database, what }: FindingSubject, reason: string): Finding {
  return { kind: 'unproven', database, reason: what === undefined ? reason : `${what}: ${reason}` }
}

/** What a failure says of its subject. */
export function findingOf(error: unknown, subject: FindingSubject): Finding {
  const words = wordsOf(error)
  const text = failureText(error)
  return words && namesDamage(words) ? damage(subject, text) : unproven(subject, text)
}

/** What pgbk says of a failure, and what the server has said, each once and in one line. */
export function failureText(error: unknown): string {
  const words = wordsOf(error)
  const said = messageOf(error)
  // Who holds the lock is in pgbk's own words.
  if (!words || words.sqlstate === lockNotAvailable) return said
  const passesThemOn = !(error instanceof PgbkError) || error.facts.said !== undefined
  return passesThemOn ? wordsText(words) : `${said}: ${wordsText(words)}`
}

/** Whether a session was cut off, or refused for good, with its server: 57P01 admin_shutdown, 57P02 crash_shutdown. */
export function isLost(error: unknown): boolean {
  const { sqlstate } = wordsOf(error) ?? {}
  const { cause } = (error ?? {}) as { cause?: unknown }
  return (
    ['57P01', '57P02'].includes(sqlstate ?? '') ||
    /^CONNECTION_|^EPIPE$|^ECONNRE/.test(systemCode(cause) ?? '')
  )
}

const mostTold = 5

/** The first damages, and how many more there are; each reason for something unproven once, with the first of what it is true of. */
export function summary(findings: readonly Finding[]): Finding[] {
  return [
    ...shortened(
      findings.filter(({ kind }) => kind === 'damage'),
      (rest) => ({
        kind: 'damage',
        text: `and ${rest} more faults`,
      }),
    ),
    ...shortened(
      findings.filter(({ kind }) => kind === 'unproven'),
      (rest, last) => ({
        kind: 'unproven',
        database: last.kind === 'unproven' ? last.database : null,
        reason: `and ${rest} more`,
      }),
    ),
  ]
}

function shortened(all: Finding[], more: (rest: number, last: Finding) => Finding): Finding[] {
  const last = all[mostTold - 1]
  if (all.length <= mostTold || !last) return all
  return [...all.slice(0, mostTold), more(all.length - mostTold, last)]
}
