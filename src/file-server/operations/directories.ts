import type { BytePath } from '../../system/paths/byte-path.js'
import { fuse_dirent, fuse_open_out, fuse_read_in, fuse_release_in, opcodes } from '../protocol/fuse.js'
import { Refusal } from '../protocol/refusal.js'
import type { AnyNode, DirectoryNode } from '../tree/node.js'
import type { Tree } from '../tree/tree.js'
import { fileTypes } from './answers.js'
import { body, type FileSystem, type Operation, start } from './operation.js'

type Entry = [name: BytePath, node: AnyNode]

/**
 * Who reads a directory sees what was in it when the reading began, or began anew: so nothing is left out or told twice because other
 * names come and go meanwhile.
 */
export function directoriesOperations({ tree }: FileSystem): Record<number, Operation> {
  const streams = new Map<number, Entry[]>()
  let lastStream = 0
  return {
    [opcodes.FUSE_OPENDIR]: ({ nodeid }, answer) => {
      tree.directory(nodeid)
      lastStream++
      streams.set(lastStream, [])
      fuse_open_out.write(answer, start, { fh: lastStream })
      return fuse_open_out.size
    },

    [opcodes.FUSE_READDIR]: ({ nodeid, bytes }, answer) => {
      const { fh, offset, size } = fuse_read_in.read(bytes, body)
      if (offset === 0) streams.set(fh, entriesOf(tree.directory(nodeid), tree))
      const entries = streams.get(fh)
      if (!entries) throw new Refusal('EBADF')
      return writeEntries(entries, offset, answer.subarray(start, start + size))
    },

    [opcodes.FUSE_RELEASEDIR]: ({ bytes }) => {
      streams.delete(fuse_release_in.read(bytes, body).fh)
      return 0
    },
  }
}

function entriesOf(directory: DirectoryNode, tree: Tree): Entry[] {
  const itself: Entry[] = [
    ['.' as BytePath, directory],
    ['..' as BytePath, directory.parent],
  ]
  return [...itself, ...tree.childrenOf(directory)]
}

/** As many as there is room for, from one on. @returns how many bytes those take. */
function writeEntries(entries: Entry[], from: number, into: Buffer): number {
  let at = 0
  for (const [index, [name, node]] of entries.entries()) {
    if (index < from) continue
    const end = at + Math.ceil((fuse_dirent.size + name.length) / 8) * 8
    if (end > into.length) break
    fuse_dirent.write(into, at, {
      ino: node.id,
      off: index + 1,
      namelen: name.length,
      // DT_REG, DT_DIR or DT_LNK of readdir(3), as IFTODT() of dirent.h has them.
      type: fileTypes[node.kind] >> 12,
    })
    into.write(name, at + fuse_dirent.size, 'latin1')
    into.fill(0, at + fuse_dirent.size + name.length, end)
    at = end
  }
  return at
}
