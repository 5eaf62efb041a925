import { statSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ReadableBackup } from '../../catalog/backup.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { unpackImage } from '../../forms/make-image.js'

/** Where a packed backup is unpacked to in a new data directory, before its files go to their places. */
const unpackedName = '.pgbk-unpacked'

/**
 * Lets work have files that it may take away. Those of a packed backup are unpacked inside of the new data directory, several at a time,
 * which is quicker than to copy them from where the image is mounted; that is left for where there is no unsquashfs, or where the bytes
 * would have to be written twice, to tablespaces on other file systems.
 * @param work is told whether the files are its own.
 */
export async function withFilesOf(
  backup: ReadableBackup,
  { data, tablespaces }: { data: string; tablespaces: readonly { directory: string }[] },
  context: Pick<Context, 'env' | 'signal' | 'progress'>,
  work: (backup: ReadableBackup, areOwn: boolean) => Promise<void>,
): Promise<void> {
  const { image } = backup
  const isElsewhere = (directory: string) => statSync(directory).dev !== statSync(data).dev
  if (!image || tablespaces.some(({ directory }) => isElsewhere(directory))) return work(backup, false)
  const snapshot = join(data, unpackedName)
  context.progress.step('unpacking')
  try {
    await unpackImage(image.file, snapshot, context)
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'programs-missing') throw error
    return work(backup, false)
  }
  await work({ ...backup, snapshot }, true)
  await rm(snapshot, { recursive: true })
}
