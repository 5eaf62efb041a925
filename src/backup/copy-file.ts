import { copyFileSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { setImmediate } from 'node:timers/promises'
import { checkFile } from '../read-small.js'

const small = 1 << 20

/**
 * Copies one file. A small one is copied at once: of the thousands of a cluster, handing each step to another thread would take
 * longer than the steps.
 * @param mode as for `fs.copyFile`.
 * @returns its bytes.
 * @throws {PgbkError} `damaged` for what is no regular file: a pipe would never end.
 */
export async function copyOneFile(source: string, target: string, mode: number): Promise<number> {
  const { size } = checkFile(source)
  if (size > small) await copyFile(source, target, mode)
  else {
    copyFileSync(source, target, mode)
    // Signals come in between.
    await setImmediate()
  }
  return size
}
