import {
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  fuse_init_in,
  fuse_init_out,
  fuse_kstatfs,
  fuse_write_in,
  initFlags,
  opcodes,
} from '../protocol/fuse.js'
import { body, type FileSystem, noAnswer, type Operation, start } from './operation.js'

/** The most that one request writes or reads, in bytes: FUSE_MAX_MAX_PAGES. */
const mostBytesAtOnce = 256 * 4096

/** What has room for every request, and for every answer. */
export const bufferSize = mostBytesAtOnce + body + fuse_write_in.size

/**
 * Names and contents stay in the kernel's cache for good, since nothing changes but through it. Written bytes go through to the store
 * at once: with FUSE_WRITEBACK_CACHE, PostgreSQL would be told that they are written before there is room for them on the disk. Room
 * cannot be held instead: nothing is asked when a file grows, and how much may wait is what the kernel is set to (1 % of
 * vm.dirty_ratio with strict_limit in fuse_bdi_init, which an administrator can change at any time, and a later kernel may drop).
 */
const wantedFlags = Object.values(initFlags).reduce((all, flag) => all | flag, 0)

export function sessionOperations({ store }: FileSystem): Record<number, Operation> {
  return {
    [opcodes.FUSE_INIT]: ({ bytes }, answer) => {
      const offered = fuse_init_in.read(bytes, body)
      fuse_init_out.write(answer, start, {
        major: FUSE_KERNEL_VERSION,
        minor: FUSE_KERNEL_MINOR_VERSION,
        max_readahead: offered.max_readahead,
        flags: offered.flags & wantedFlags,
        max_background: 64,
        congestion_threshold: 48,
        max_write: mostBytesAtOnce,
        time_gran: 1,
        max_pages: mostBytesAtOnce / 4096,
      })
      return fuse_init_out.size
    },

    [opcodes.FUSE_STATFS]: (_, answer) => {
      const { blocks, bfree, bavail, files, ffree, bsize } = store.room()
      const room = { blocks, bfree, bavail, files, ffree, bsize, frsize: bsize, namelen: 255 }
      fuse_kstatfs.write(answer, start, room)
      return fuse_kstatfs.size
    },

    // What it is about has been answered by then: there is one thing at a time.
    [opcodes.FUSE_INTERRUPT]: () => noAnswer,
    [opcodes.FUSE_DESTROY]: () => 0,
  }
}
