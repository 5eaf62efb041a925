import { existsSync } from 'node:fs'
import { type LocalBackup, layoutOf, type ReadableBackup } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { type Fault, PgbkError } from '../errors.js'
import { checkImageIs } from '../forms/check-image.js'
import { materialise } from '../forms/materialise.js'

/** An image whose bytes are right, and which this machine cannot mount. */
export class NotOpened extends PgbkError {}

/** The backup with its files, or what of its image keeps everybody from them. @throws {@link NotOpened}. */
export async function opened(
  backup: LocalBackup,
  context: Context,
): Promise<{ backup: ReadableBackup } | { fault: Fault }> {
  try {
    return { backup: await materialise(backup, context) }
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    if (error.code === 'damaged') return { fault: imageFaultIn(error) }
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
    return imageFaultIn(error)
  }
}

function imageFaultIn({ message, facts: { reason = message } }: PgbkError): Fault {
  return { file: 'snapshot.squashfs', problem: reason }
}

/** How to open a packed backup without pgbk lies beside its image. */
export function readmeFaults(backup: LocalBackup): Fault[] {
  if (backup.form !== 'packed' || existsSync(layoutOf(backup).imageReadme)) return []
  return [{ file: 'README', problem: 'it is missing' }]
}
