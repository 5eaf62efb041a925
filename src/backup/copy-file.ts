import { copyFileSync, lstatSync, renameSync, rmSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { systemCode } from '../errors.js'
import { checkFile } from '../read-small.js'

/** Bytes where a name is no UTF-8. */
type SystemPath = string | Buffer

const small = 1 << 20

/**
 * Copies one file. A small one is copied at once: of the thousands of a cluster, handing each step to another thread would take
 * longer than the steps.
 * @param mode as for `fs.copyFile`.
 * @returns its bytes.
 * @throws {PgbkError} `damaged` for what is no regular file: a pipe would never end.
 */
export async function copyOneFile(source: SystemPath, target: SystemPath, mode: number): Promise<number> {
  const { size } = checkFile(source)
  if (size > small) await copyFile(source, target, mode)
  else {
    copyFileSync(source, target, mode)
    // Signals come in between.
    await setImmediate()
  }
  return size
}

/** Moves one file; to another file system it is copied. @returns its bytes. */
export async function moveOneFile(source: SystemPath, target: SystemPath, mode: number): Promise<number> {
  try {
    const { size } = lstatSync(source)
    renameSync(source, target)
    await setImmediate()
    return size
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error
    const size = await copyOneFile(source, target, mode)
    rmSync(source)
    return size
  }
}
