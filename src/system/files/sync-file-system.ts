import { platform, release } from 'node:os'
import { runProgram } from '../program/run-program.js'

/**
 * Flushes all that is written on the file system of a directory, in one go: of ten thousands of files each by itself would wait for
 * the disk. A write that has failed before is told too, unless somebody else has been told.
 * @returns false where that cannot be done, or has failed: then each file has to be flushed.
 */
export async function syncFileSystem(directory: string): Promise<boolean> {
  if (!tellsFailures(platform(), release())) return false
  try {
    return (await runProgram('sync', ['-f', directory])).status === 0
  } catch {
    return false // there is no such program
  }
}

/** syncfs(2) reports failed writes from Linux 5.8 on. */
export function tellsFailures(system: string, version: string): boolean {
  const [, major = 0, minor = 0] = (/^(\d+)\.(\d+)/.exec(version) ?? []).map(Number)
  return system === 'linux' && (major > 5 || (major === 5 && minor >= 8))
}
