import { statSync } from 'node:fs'
import { PgbkError, systemCode } from '../../errors.js'
import { readPiece, readTail } from '../../system/files/read-small.js'
import { type ServerWords, wordsText } from '../sql/server-words.js'
import { causeOfEnd, type LogEntry, logEntries } from './log-entries.js'

/**
 * The error for a server that has not started, or has ended by itself: its hint is the message of the log that tells why, and the
 * log's last lines; its cause are the server's words.
 * @param pid its process, where others have written into the log before.
 */
export function serverFailure(message: string, log: string, pid?: number): PgbkError {
  const cause = whyEnded(log, pid)
  const why = cause ? [`${cause.severity}:  ${wordsText(cause)}`] : []
  return new PgbkError('failed', message, { hint: [...why, lastLines(log)].join('\n'), cause })
}

function whyEnded(
  log: string,
  pid: number | undefined,
): (Pick<LogEntry, 'severity'> & ServerWords) | undefined {
  const text = endOfLog(log) ?? ''
  const entries = logEntries(text)
  // What the loader of programs says, and postgres before it has a log.
  if (entries.length === 0 && text.trim() !== '') return { severity: 'LOG', message: text.trim() }
  const first = entries.findIndex((entry) => entry.pid === String(pid))
  return causeOfEnd(first === -1 ? entries : entries.slice(first))
}

/** The end of a server's log, with a line that introduces it. */
export function lastLines(log: string, count = 12): string {
  const text = endOfLog(log)
  if (text === undefined) return `There is no log ${log}; was the run ended by another pgbk?`
  const lines = text.trimEnd().split('\n')
  return `The last lines of its log:\n${lines.slice(-count).join('\n')}`
}

/** Longer than the lines that anybody reads. */
const tailBytes = 256 << 10

/** The end of a log; undefined where there is none, or what is there is no file. */
export function endOfLog(log: string): string | undefined {
  return textOf(() => readTail(log, tailBytes))
}

/** The same of its first lines. */
export function beginningOfLog(log: string): string | undefined {
  return textOf(() => readPiece(log, 0, tailBytes))
}

function textOf(read: () => Buffer): string | undefined {
  try {
    return read().toString()
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof PgbkError) return undefined
    throw error
  }
}

/** PostmasterStateMachine() in src/backend/postmaster/postmaster.c. */
const reinitializing = 'all server processes terminated; reinitializing'
const lookEveryMs = 200

/**
 * Tells, whenever it is asked, whether a server has written since then that one of its processes crashed and that it starts over:
 * with the same files it would most likely crash again, and so on without end. Only in English can that be seen.
 */
export function watchForCrashes(log: string): () => boolean {
  let [at, rest, lookedAt, hasCrashed] = [statSync(log, { throwIfNoEntry: false })?.size ?? 0, '', 0, false]
  return () => {
    if (hasCrashed || Date.now() - lookedAt < lookEveryMs) return hasCrashed
    lookedAt = Date.now()
    // What is more is looked at the next time.
    const written = readFrom(log, at)
    at += written.length
    const text = rest + written.toString('latin1')
    rest = text.slice(-reinitializing.length)
    hasCrashed = text.includes(reinitializing)
    return hasCrashed
  }
}

function readFrom(file: string, at: number): Buffer {
  try {
    return readPiece(file, at, mostAtOnce)
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || error instanceof PgbkError) return Buffer.alloc(0)
    throw error
  }
}

const mostAtOnce = 16 << 20
