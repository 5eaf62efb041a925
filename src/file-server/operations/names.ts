import { pathBytes } from '../../system/paths/byte-path.js'
import {
  fuse_mkdir_in,
  fuse_mknod_in,
  fuse_rename_in,
  fuse_rename2_in,
  opcodes,
  RENAME_NOREPLACE,
} from '../protocol/fuse.js'
import { Refusal } from '../protocol/refusal.js'
import { entryAnswer } from './answers.js'
import { body, type FileSystem, type Operation, requestedName, requestedNames, start } from './operation.js'

/** S_IFMT and S_IFREG of inode(7). */
const typeOf = (mode: number) => mode & 0o170000
const regularFile = 0o100000

export function namesOperations(fileSystem: FileSystem): Record<number, Operation> {
  const { tree } = fileSystem
  const remove: Operation = (request) => {
    tree.remove(tree.directory(request.nodeid), requestedName(request, body))
    return 0
  }
  return {
    [opcodes.FUSE_MKNOD]: (request, answer) => {
      const { mode } = fuse_mknod_in.read(request.bytes, body)
      if (typeOf(mode) !== regularFile) throw new Refusal('EPERM')
      const name = requestedName(request, body + fuse_mknod_in.size)
      const made = tree.add(tree.directory(request.nodeid), name, 'file', { permissions: mode & 0o7777 })
      return entryAnswer(fileSystem, made, answer)
    },

    [opcodes.FUSE_MKDIR]: (request, answer) => {
      const { mode } = fuse_mkdir_in.read(request.bytes, body)
      const name = requestedName(request, body + fuse_mkdir_in.size)
      const made = tree.add(tree.directory(request.nodeid), name, 'directory', { permissions: mode & 0o7777 })
      return entryAnswer(fileSystem, made, answer)
    },

    [opcodes.FUSE_SYMLINK]: (request, answer) => {
      const [name, target] = requestedNames(request, body)
      const beginning = { permissions: 0o777, target: pathBytes(target) }
      return entryAnswer(
        fileSystem,
        tree.add(tree.directory(request.nodeid), name, 'link', beginning),
        answer,
      )
    },

    [opcodes.FUSE_READLINK]: ({ nodeid }, answer) => tree.link(nodeid).target.copy(answer, start),

    [opcodes.FUSE_UNLINK]: remove,
    [opcodes.FUSE_RMDIR]: remove,

    [opcodes.FUSE_RENAME]: (request) => {
      const { newdir } = fuse_rename_in.read(request.bytes, body)
      const [name, newName] = requestedNames(request, body + fuse_rename_in.size)
      tree.rename(tree.directory(request.nodeid), name, tree.directory(newdir), newName)
      return 0
    },

    [opcodes.FUSE_RENAME2]: (request) => {
      const { newdir, flags } = fuse_rename2_in.read(request.bytes, body)
      if (flags !== RENAME_NOREPLACE) throw new Refusal('EINVAL')
      const [name, newName] = requestedNames(request, body + fuse_rename2_in.size)
      const to = tree.directory(newdir)
      if (tree.childrenOf(to).has(newName)) throw new Refusal('EEXIST')
      tree.rename(tree.directory(request.nodeid), name, to, newName)
      return 0
    },

    // What link(2) says of a file system without hard links; PostgreSQL makes them in pg_wal alone.
    [opcodes.FUSE_LINK]: () => {
      throw new Refusal('EPERM')
    },
  }
}
