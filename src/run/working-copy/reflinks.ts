import { constants, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode, systemReason } from '../../errors.js'
import { copyTree } from '../../system/files/copy-tree.js'
import { lacksReflinks } from '../../system/files/share-file.js'
import type { WorkingCopyRequest } from './working-copy.js'

/** Every file shares its blocks with the one that it is a copy of, or the copy fails. */
export const sharing = constants.COPYFILE_FICLONE_FORCE

/**
 * Why files in a run's directory cannot share their blocks with those of the snapshot; undefined when they can. Tried with a few small
 * ones, which tell as much as the whole snapshot, and are removed again.
 */
export async function reflinkObstacle(
  { snapshot, run }: WorkingCopyRequest,
  signal: AbortSignal,
): Promise<string | undefined> {
  const trial = join(run.layout.snapshot, 'conf')
  try {
    mkdirSync(trial)
    await copyTree(join(snapshot, 'conf'), trial, { mode: sharing, signal })
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    return whyNotShared(error) ?? `a trial has failed (${systemReason(error)})`
  } finally {
    rmSync(trial, { recursive: true, force: true })
  }
}

/** What the failure of a reflink says of the file systems; undefined when it is another failure. */
export function whyNotShared(error: unknown): string | undefined {
  if (!lacksReflinks(error)) return undefined
  return systemCode(error) === 'EXDEV'
    ? 'the working directory is on another file system than the backup'
    : 'the file system has no reflinks'
}
