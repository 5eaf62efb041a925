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
}

/**
 * What reading a script's output gave.
 * @throws {PgbkError} what the script's exit status means, else what reading failed with.
 */
export function scriptAnswer<T>(end: StreamEnd<T>, place: ScriptPlace): T {
  const { status, stderr, endedBy, outcome } = end
  if (status !== undefined && isScriptStatus(status)) throw scriptFault(status, stderr, place)
  if (outcome.status === 'rejected') throw outcome.reason
  if (status === 0) return outcome.value
  throw new PgbkError('failed', `the commands ${on(place)}failed: ${lastWords(stderr) || endedBy || status}`)
}

/**
 * The same where tar's own failures are for the caller to judge: files that were gone, or changed.
 * @returns what tar complained of.
 */
export function complaintsOf(end: StreamEnd<void>, place: ScriptPlace): string {
  const { status, stderr, endedBy, outcome } = end
  if (status !== undefined && isScriptStatus(status)) throw scriptFault(status, stderr, place)
  if (outcome.status === 'rejected') throw outcome.reason
  if (status === 0 || status === 1 || status === 2)
    return status === 0 ? '' : stderr.trim() || `status ${status}`
  throw new PgbkError('failed', `tar ${on(place)}failed: ${lastWords(stderr) || endedBy || status}`)
}

function isScriptStatus(status: number): boolean {
  return Object.values(scriptStatus).includes(status)
}

function scriptFault(status: number, stderr: string, { host, directory }: ScriptPlace): PgbkError {
  const where = host === undefined ? '' : ` on ${host}`
  const shown = directory || 'the home directory'
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
  return new PgbkError('not-found', `${shown}${where} ${reason}`, {
    hint: 'SOURCE is the directory that holds data/, as in scp: relative to the home there, or absolute.',
  })
}

/** A directory without data/backup in it. */
export function noRoot(place: string): PgbkError {
  return new PgbkError('not-found', `${place} is not a root: it has no data/backup`, {
    hint: 'SOURCE is the directory that holds data/, not the backup itself.',
  })
}

export function closedSource(path: string, where: string, host?: string): PgbkError {
  return new PgbkError('failed', `cannot read ${path}${where}: permission denied`, {
    hint: host
      ? `Log in as the user whom the backups belong to:  USER@${shellWord(host.replace(/^.*@/, ''))}:DIR`
      : 'Run pgbk as the user whom the backups belong to.',
  })
}

function on({ host }: ScriptPlace): string {
  return host === undefined ? '' : `on ${host} `
}
