import { PgbkError } from '../../errors.js'
import type { StreamEnd } from '../../system/program/stream-program.js'
import { lastWords } from '../../text/cut-to.js'
import { shellWord } from '../../text/shell-word.js'
import { scriptStatus } from './remote-scripts.js'

/** Where a script ran. */
interface ScriptPlace {
  /** Undefined for this machine. */
  host: string | undefined
  directory: string
  /** It is one of a place that was named as SOURCE; else that of a store. */
  isSource?: true
}

/**
 * What reading a script's output gave.
 * @throws {PgbkError} what the script's exit status means, else what reading failed with.
 */
export function scriptAnswer<T>(end: StreamEnd<T>, place: ScriptPlace): T {
  const { status, stderr, outcome } = end
  if (status !== undefined && isScriptStatus(status)) throw scriptFault(status, stderr, place)
  if (outcome.status === 'rejected') throw outcome.reason
  if (status === 0) return outcome.value
  throw failure('the commands', end, place)
}

/**
 * The same where tar's own failures are for the caller to judge: files that were gone, or changed.
 * @returns what tar complained of.
 */
export function complaintsOf(end: StreamEnd<void>, place: ScriptPlace): string {
  const { status, stderr, outcome } = end
  if (status !== undefined && isScriptStatus(status)) throw scriptFault(status, stderr, place)
  if (outcome.status === 'rejected') throw outcome.reason
  if (status === 0 || status === 1 || status === 2)
    return status === 0 ? '' : stderr.trim() || `status ${status}`
  throw failure('tar', end, place)
}

/** @param what has failed. */
function failure(
  what: string,
  { status, stderr, endedBy }: StreamEnd<unknown>,
  place: ScriptPlace,
): PgbkError {
  const said = lastWords(stderr)
  if (/No space left on device|Disk quota exceeded/i.test(stderr))
    return new PgbkError('disk-full', `there is no room left in ${shownDirectory(place)}: ${said}`, {
      hint: 'Make room there, or have older backups removed: pgbk prune. Then try again.',
    })
  const where = place.host === undefined ? '' : `on ${place.host} `
  return new PgbkError('failed', `${what} ${where}failed: ${said || endedBy || status}`)
}

function isScriptStatus(status: number): boolean {
  return Object.values(scriptStatus).includes(status)
}

function scriptFault(status: number, stderr: string, place: ScriptPlace): PgbkError {
  const { host, directory, isSource } = place
  const where = host === undefined ? '' : ` on ${host}`
  const shown = directory || homeDirectory
  if (status === scriptStatus.noTar) return new PgbkError('programs-missing', `there is no tar${where}`)
  if (status === scriptStatus.noBackup)
    return new PgbkError('not-found', `the backup is gone from ${shown}${where}`)
  if (status === scriptStatus.noFile)
    return new PgbkError('not-found', `the file is gone from ${shown}${where}`, {
      facts: { kind: 'no-file' },
    })
  if (status === scriptStatus.link)
    return new PgbkError(
      'damaged',
      `there is a link or a directory in ${shown}${where}, where something else was expected`,
    )
  if (status === scriptStatus.locked)
    return new PgbkError('locked', `another pgbk sends the same file to ${shown}${where}`, {
      hint: 'Wait for it to end and try again.',
    })
  const path = status === scriptStatus.noRoot ? `${shown}/data/backup` : shown
  if (/permission denied/i.test(stderr)) return closedSource(path, where, host)
  if (status === scriptStatus.noRoot) return noRoot(`${shown}${where}`)
  const reason = /not a directory/i.test(stderr) ? 'is not a directory' : 'does not exist'
  return new PgbkError('not-found', `${shownDirectory(place)} ${reason}`, {
    hint: isSource
      ? 'SOURCE is the directory that holds data/, as in scp: relative to the home there, or absolute.'
      : 'Make the directory of the store there, or correct its path: it is relative to the home there, or absolute.',
  })
}

const homeDirectory = 'the home directory'

function shownDirectory({ host, directory }: ScriptPlace): string {
  return `${directory || homeDirectory}${host === undefined ? '' : ` on ${host}`}`
}

/** A directory without data/backup in it. */
export function noRoot(place: string): PgbkError {
  return new PgbkError(
    'not-found',
    `${place} has no data/backup: it is not a root, or a store without backups`,
    {
      hint: 'SOURCE is the directory that holds data/, not the backup itself.',
    },
  )
}

export function closedSource(path: string, where: string, host?: string): PgbkError {
  return new PgbkError('failed', `cannot read ${path}${where}: permission denied`, {
    hint: host
      ? `Log in as the user whom the backups belong to:  USER@${shellWord(host.replace(/^.*@/, ''))}:DIR`
      : 'Run pgbk as the user whom the backups belong to.',
  })
}
