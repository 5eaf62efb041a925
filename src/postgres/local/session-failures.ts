import { factsOf, messageOf, PgbkError, systemCode } from '../../errors.js'
import { wordsOf } from '../sql/server-words.js'
import { lockTimeoutMs } from '../sql/session-pins.js'

/** Longer than a session takes to begin, and shorter than anybody waits. */
export const mostWaitS = 60

/** No server listens, or it has cut the session off without a word. */
const hungUp = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'CONNECTION_CLOSED', 'CONNECTION_DESTROYED']

/** The server takes no session yet; 57P03: cannot_connect_now, it is still starting. */
export function isNotReady(error: unknown): boolean {
  return [...hungUp, '57P03'].includes(systemCode(error) ?? '')
}

/** The error for a session that its server has cut off. */
export function sessionCutOff(cause?: unknown): PgbkError {
  return new PgbkError('failed', "the working copy's server has cut the session off", {
    cause,
    facts: { kind: 'session-cut-off' },
  })
}

/** Whether a session failed because its server cut it off: why is not in the error, but in the server's log. */
export function wasCutOff(error: unknown): boolean {
  return factsOf(error).kind === 'session-cut-off'
}

/** The error for what went wrong in a session, or at its beginning. */
export function sessionFailed(cause: unknown): PgbkError {
  if (systemCode(cause) === silence) return silent(cause)
  if (hungUp.includes(systemCode(cause) ?? '')) return sessionCutOff(cause)
  const said = messageOf(cause)
  const hint = /^role ".*" is not permitted to log in/.test(said) ? loginHint : wordsOf(cause)?.hint
  return new PgbkError('failed', `the working copy's server says: ${said}`, {
    cause,
    facts: { said },
    ...(hint === undefined ? {} : { hint }),
  })
}

const loginHint =
  'The role that opens a copy has to be a superuser that may log in. Make one on the server (ALTER ROLE ... LOGIN) before the next backup.'

const silence = 'CONNECT_TIMEOUT'

/** A session that begins reads pg_database and pg_authid before any of its settings counts. */
function silent(cause: unknown): PgbkError {
  return new PgbkError('failed', `the working copy's server did not begin a session within ${mostWaitS} s`, {
    cause,
    hint: 'Does a prepared transaction hold a lock on pg_database, pg_authid or another system catalog? On the server, look at pg_prepared_xacts and pg_locks.',
  })
}

/** Whether the wait for a session ended without one; it would do so in every database. */
export function isSilent(error: unknown): boolean {
  return error instanceof PgbkError && systemCode(error.cause) === silence
}

/** The error for a lock that was not had in time. @param holders the prepared transactions that there are, in words. */
export function sessionLockedOut(holders: string[], cause: unknown): PgbkError {
  const who = holders.length === 0 ? 'somebody' : holders.join(', or ')
  const waited = `${lockTimeoutMs / 1000} s`
  return new PgbkError('failed', `${who} holds a lock that pgbk did not get within ${waited}`, {
    cause,
    ...(holders.length === 0 ? {} : { hint: preparedHint }),
  })
}

const preparedHint =
  'A prepared transaction keeps its locks until COMMIT PREPARED or ROLLBACK PREPARED, in every copy too. Is it still needed on the server? Look at pg_prepared_xacts.'
