import type { LocalBackup, ReadableBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { type Fault, PgbkError } from '../errors.js'
import { checkImageIs } from '../forms/check-image.js'
import { materialise } from '../forms/materialise.js'

/** An image whose bytes are right, and which this machine cannot mount. */
export class NotOpened extends PgbkError {}

/** @throws {@link NotOpened}; {PgbkError} `damaged`. */
export async function opened(backup: LocalBackup, context: Context): Promise<ReadableBackup> {
  try {
    return await materialise(backup, context)
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError) || error.code === 'damaged') throw error
    const { code, message, hint = '', facts } = error
    throw new NotOpened(code, message, { hint, facts, cause: error })
  }
}

/** An image with one other byte has not to be mounted. */
export async function imageFault(backup: LocalBackup, context: Context): Promise<Fault | undefined> {
  try {
    return void (await checkImageIs(backup, context))
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'damaged') throw error
    return { file: 'snapshot.squashfs', problem: error.facts.reason ?? error.message }
  }
}
