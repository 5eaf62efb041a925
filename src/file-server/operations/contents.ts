import {
  FUSE_WRITE_CACHE,
  fuse_fallocate_in,
  fuse_read_in,
  fuse_write_in,
  fuse_write_out,
  opcodes,
} from '../protocol/fuse.js'
import { Refusal } from '../protocol/refusal.js'
import { body, type FileSystem, type Operation, start } from './operation.js'

/** A write that somebody has been told has succeeded, and that has failed. */
export class LostWrite extends Error {}

export function contentsOperations({ tree }: FileSystem): Record<number, Operation> {
  return {
    [opcodes.FUSE_READ]: ({ nodeid, bytes }, answer) => {
      const { offset, size } = fuse_read_in.read(bytes, body)
      return tree.file(nodeid).contents.read(offset, answer, start, size)
    },

    [opcodes.FUSE_WRITE]: ({ nodeid, bytes }, answer) => {
      const { offset, size, write_flags } = fuse_write_in.read(bytes, body)
      const file = tree.file(nodeid)
      try {
        file.contents.write(offset, bytes, body + fuse_write_in.size, size)
      } catch (cause) {
        if (write_flags & FUSE_WRITE_CACHE) throw new LostWrite('a page could not be written', { cause })
        throw cause
      }
      file.touch()
      fuse_write_out.write(answer, start, { size })
      return fuse_write_out.size
    },

    /** Room alone; to make holes, or to take room beyond the end, is not done. */
    [opcodes.FUSE_FALLOCATE]: ({ nodeid, bytes }) => {
      const { offset, length, mode } = fuse_fallocate_in.read(bytes, body)
      if (mode !== 0) throw new Refusal('EOPNOTSUPP')
      const file = tree.file(nodeid)
      file.contents.allocate(offset, length)
      file.touch()
      return 0
    },
  }
}
