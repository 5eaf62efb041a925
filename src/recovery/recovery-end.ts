import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { PgbkError } from '../errors.js'
import { mostBytes, readSmallText } from '../system/files/read-small.js'
import { namesIn } from '../system/paths/names-in.js'
import type { Instant } from '../text/instant.js'
import { parseLsn } from '../wal-segments/lsn.js'
import type { RecoveryPlan } from './recovery-plan.js'

/** Where a recovery has ended, as the history file of the timeline tells that began there. */
interface RecoveryEnd {
  /** The new timeline. */
  timeline: number
  /** The end of the last record that was replayed. */
  lsn: string
  /** PostgreSQL's own words: `before 2026-11-20 15:03:00+00`, `after LSN 0/3000028` ... */
  reason: string
}

/**
 * The last line of the newest history file (writeTimeLineHistory in src/backend/access/transam/timeline.c).
 * @throws {PgbkError} `failed` when there is none.
 */
export function readRecoveryEnd(pgWal: string): RecoveryEnd {
  const newest = namesIn(pgWal)
    .filter((name) => /^[0-9A-F]{8}\.history$/.test(name))
    .sort()
    .at(-1)
  const file = join(pgWal, newest ?? 'a history file')
  const lines = existsSync(file) ? readSmallText(file, mostBytes.note).trimEnd().split('\n') : []
  const [, lsn, reason = ''] = /^\d+\t([0-9A-F]+\/[0-9A-F]+)\t?(.*)$/.exec(lines.at(-1) ?? '') ?? []
  if (lsn === undefined) throw new PgbkError('failed', `${file} does not tell where recovery has ended`)
  return { timeline: Number.parseInt(newest ?? '', 16), lsn, reason }
}

/**
 * Compares what a recovery has reached with what was asked: PostgreSQL ends some early, and some late, without an error.
 * @param lsn the end of the last record that was replayed.
 * @throws {PgbkError} `damaged`.
 */
export function checkRecoveryResult(
  plan: Pick<RecoveryPlan, 'requiredLsn' | 'notAfter'>,
  lsn: string,
  commitTime: Instant | undefined,
): void {
  const { requiredLsn, notAfter } = plan
  if (requiredLsn !== undefined && parseLsn(lsn) < parseLsn(requiredLsn)) {
    throw new PgbkError('damaged', `recovery ended at ${lsn}, before ${requiredLsn}`, {
      facts: { lsn },
      hint: 'The WAL archive is damaged after that point; what was committed later is not in this server.',
    })
  }
  if (notAfter !== undefined && commitTime !== undefined && commitTime > notAfter) {
    throw new PgbkError('damaged', `recovery continued to ${commitTime}, past ${notAfter}`, {
      hint: 'The end of the snapshot lies after that time by the clock of the server. Choose an earlier backup.',
    })
  }
}
