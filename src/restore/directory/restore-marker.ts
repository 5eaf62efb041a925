import { randomInt } from 'node:crypto'
import { lstatSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf, PgbkError, systemCode } from '../../errors.js'
import { needNote } from '../../system/files/read-note.js'
import { lifeOf, markOfThisProcess, markSchema, type ProcessMark } from '../../system/process/process-mark.js'
import { shellWord } from '../../text/shell-word.js'

/** What a restore leaves in a given directory for as long as it works there. */
export function restoreMarkerIn(directory: string): string {
  return join(directory, '.pgbk-restore.json')
}

/** A marker counts that is the caller's own: another's could have been made to have something removed. */
export function readRestoreMarker(directory: string, caller: number): ProcessMark | undefined {
  const path = restoreMarkerIn(directory)
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found?.isFile() || found.uid !== caller) return undefined
  try {
    return needNote(markSchema, path)
  } catch (cause) {
    throw new PgbkError('failed', `cannot read ${path}: ${messageOf(cause)}`, {
      cause,
      hint: `It was written by a restore that did not end. Empty the directory:  ${emptying(directory)}`,
    })
  }
}

/** Takes the marker of a restore that is gone away; of several processes only one succeeds. @throws {PgbkError} `locked`. */
export function retireRestoreMarker(directory: string): void {
  const path = restoreMarkerIn(directory)
  const aside = `${path}.${randomInt(1e9, 1e10)}`
  try {
    renameSync(path, aside)
  } catch (error) {
    throw systemCode(error) === 'ENOENT' ? locked(directory) : error
  }
  try {
    checkRestoreGone(directory, needNote(markSchema, aside))
  } catch (error) {
    renameSync(aside, path)
    throw error
  }
}

/** Marks a directory as this process's. Of several processes only one succeeds. @throws {PgbkError} `locked`. */
export function writeRestoreMarker(directory: string): void {
  const marker: ProcessMark = markOfThisProcess()
  try {
    writeFileSync(restoreMarkerIn(directory), `${JSON.stringify(marker)}\n`, { flag: 'wx', flush: true })
  } catch (error) {
    throw systemCode(error) === 'EEXIST' ? locked(directory) : error
  }
}

/** @throws {PgbkError} `locked` unless the restore that has marked a directory is known to have ended. */
export function checkRestoreGone(directory: string, marker: ProcessMark): void {
  const life = lifeOf(marker)
  if (life === 'alive') throw locked(directory, ` (process ${marker.pgbk_pid})`)
  if (life === 'gone') return
  throw new PgbkError('locked', `another pgbk may be restoring into ${directory}`, {
    hint: `It was begun in another container, on another machine, or before this one was restarted. If none is running:  ${emptying(directory)}`,
  })
}

function locked(directory: string, who = ''): PgbkError {
  return new PgbkError('locked', `another pgbk is restoring into ${directory}${who}`, {
    hint: 'Wait for it to end, or choose another directory.',
  })
}

/** The command that does it. */
export function emptying(directory: string): string {
  return `find ${shellWord(directory)} -mindepth 1 -delete`
}
