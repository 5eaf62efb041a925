import { constants } from 'node:fs'
import { systemFailure } from '../../errors.js'
import { copyTree } from '../../system/files/copy-tree.js'
import { freeBytes, measureTree } from '../../system/files/measure.js'
import { formatBytes } from '../../text/format.js'
import { sharing, whyNotShared } from './reflinks.js'
import type { WorkingCopyMethod } from './working-copy.js'

const access: WorkingCopyMethod['access'] = { mounts: false, setUp: '' }

/** Every file shares its blocks with the backup's until one of them is written (XFS, Btrfs, APFS). */
export const reflink: WorkingCopyMethod = {
  kind: 'reflink',
  async prepare({ snapshot, run }, { signal }) {
    try {
      await copyTree(snapshot, run.layout.snapshot, { mode: sharing, signal })
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      const obstacle = whyNotShared(error)
      if (obstacle !== undefined) return obstacle
      throw error
    }
  },
  access,
  explain: (failure) => failure,
}

/** A full copy: always possible, if there is room. */
export const copy: WorkingCopyMethod = {
  kind: 'copy',
  async prepare({ snapshot, run }, { signal, progress }) {
    const { bytes } = await measureTree(snapshot)
    const free = await freeBytes(run.layout.directory)
    if (free < bytes)
      return `a copy needs ${formatBytes(bytes)}, and ${formatBytes(free)} are free in ${run.layout.directory}`
    progress.step('copying the snapshot')
    let done = 0
    try {
      await copyTree(snapshot, run.layout.snapshot, {
        mode: constants.COPYFILE_FICLONE,
        signal,
        onFile: (size) => {
          done += size
          progress.bytes(done, bytes)
        },
      })
    } catch (cause) {
      signal.throwIfAborted()
      throw systemFailure('cannot copy the snapshot', cause)
    }
    return undefined
  },
  access,
  explain: (failure) => failure,
}
