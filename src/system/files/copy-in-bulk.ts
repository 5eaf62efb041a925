import { bytePath } from '../paths/byte-path.js'
import { runProgram } from '../program/run-program.js'
import { removeTree } from './remove-tree.js'

/**
 * Copies a directory with all files and directories in it, modes included, as reflinks where the file system can: nothing else that
 * is in it, and through no link. GNU cp does it in half of the time that it takes from here, but tells nothing of how far it is.
 * @param to where nothing is yet.
 * @returns false where that cannot be done, or has failed; nothing is there then.
 * @throws the signal's reason when aborted.
 */
export async function copyInBulk(from: string, to: string, signal: AbortSignal): Promise<boolean> {
  const succeeds = async (file: string, args: string[]) =>
    (await runProgram(file, args, { signal })).status === 0
  try {
    const copy = ['-RP', '--preserve=mode', '--reflink=auto', from, to]
    const rest = ['-P', to, '!', '-type', 'f', '!', '-type', 'd', '-delete']
    if ((await succeeds('cp', copy)) && (await succeeds('find', rest))) return true
  } catch {
    signal.throwIfAborted() // there are no such programs
  }
  await removeTree(bytePath(to))
  return false
}
