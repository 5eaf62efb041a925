import { rm, rmdir } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { systemCode } from '../../errors.js'
import { namesIn } from '../paths/names-in.js'
import { syncPath, writeDurably } from './durable.js'
import { removeContents } from './remove-tree.js'

/**
 * Directories in which work is in progress, or has not ended by itself. Each carries a marker, a note that tells whose they are (read
 * by `lookAtNote`; whether its process goes on, `lifeOf` tells). Nothing without one is ever removed, and the marker goes last, so that an
 * interrupted removal can be taken up again. A marker is named by its path.
 */

/** Marks a directory that is there. On disk when this returns. */
export async function markDirectory(marker: string, says: object): Promise<void> {
  await writeDurably(marker, `${JSON.stringify(says)}\n`)
  await syncPath(dirname(marker))
}

/** Makes a directory, whose files are on disk, one that stays. @throws `ENOENT` when somebody has taken the marker away. */
export async function unmarkDirectory(marker: string): Promise<void> {
  await rm(marker)
  await syncPath(dirname(marker))
}

const mostRounds = 100

/** Removes all but the marker. Others may still be writing there: who receives WAL learns only by its next failure that its archive is gone. */
export async function emptyMarked(marker: string): Promise<void> {
  const [directory, name] = [dirname(marker), basename(marker)]
  for (let round = 1; namesIn(directory).some((one) => one !== name); round++) {
    await removeContents(directory, [name]).catch((error) => {
      if (systemCode(error) !== 'ENOTEMPTY' || round === mostRounds) throw error
    })
  }
}

/** Removes a marked directory with everything in it. Another process may be doing the same. */
export async function removeMarked(marker: string): Promise<void> {
  await emptyMarked(marker)
  await rm(marker, { force: true })
  await removeEmpty(dirname(marker))
}

/** Removes a directory that may have gone meanwhile. @throws `ENOTEMPTY`. */
export async function removeEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error
  }
}
