import { constants } from 'node:fs'
import { systemCode, systemFailure } from '../../errors.js'
import { copyTree } from '../../system/files/copy-tree.js'
import { freeBytes, measureTree } from '../../system/files/measure.js'
import { lacksReflinks } from '../../system/files/share-file.js'
import { formatBytes } from '../../text/format.js'
import type { WorkingCopyMethod } from './working-copy.js'

const access: WorkingCopyMethod['access'] = { mounts: false, setUp: '' }

/** Every file shares its blocks with the backup's until one of them is written (XFS, Btrfs, APFS). */
export const reflink: WorkingCopyMethod = {
  kind: 'reflink',
  async prepare({ snapshot, run }, { signal }) {
    try {
      const options = { mode: constants.COPYFILE_FICLONE_FORCE, signal }
      await copyTree(snapshot, run.layout.snapshot, options)
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      if (systemCode(error) === 'EXDEV')
        return 'the working directory is on another file system than the backup'
      if (lacksReflinks(error)) return 'the file system has no reflinks'
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
