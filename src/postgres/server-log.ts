import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { readIfThere } from '../backup/read-if-there.js'
import { systemCode } from '../errors.js'

/** The end of a server's log, with a line that introduces it. */
export function lastLines(log: string, count = 12): string {
  const text = readIfThere(log)
  if (text === undefined) return `There is no log ${log}; was the run ended by another pgbk?`
  const lines = text.trimEnd().split('\n')
  return `The last lines of its log:\n${lines.slice(-count).join('\n')}`
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
    const written = readFrom(log, at)
    at += written.length
    const text = rest + written.toString('latin1')
    rest = text.slice(-reinitializing.length)
    hasCrashed = text.includes(reinitializing)
    return hasCrashed
  }
}

function readFrom(file: string, at: number): Buffer {
  const descriptor = openIfThere(file)
  if (descriptor === undefined) return Buffer.alloc(0)
  try {
    const buffer = Buffer.alloc(Math.max(0, fstatSync(descriptor).size - at))
    return buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, at))
  } finally {
    closeSync(descriptor)
  }
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r')
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined
    throw error
  }
}
