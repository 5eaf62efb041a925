import { fuse_batch_forget_in, fuse_forget_in, fuse_forget_one, opcodes } from '../protocol/fuse.js'
import { entryAnswer, nothingAnswer } from './answers.js'
import { body, type FileSystem, noAnswer, type Operation, requestedName } from './operation.js'

/** Names become numbers, which the kernel keeps until it forgets them. */
export function lookUpOperations(fileSystem: FileSystem): Record<number, Operation> {
  const { tree } = fileSystem
  return {
    [opcodes.FUSE_LOOKUP]: (request, answer) => {
      const children = tree.childrenOf(tree.directory(request.nodeid))
      const node = children.get(requestedName(request, body))
      return node ? entryAnswer(fileSystem, node, answer) : nothingAnswer(answer)
    },

    [opcodes.FUSE_FORGET]: ({ nodeid, bytes }) => {
      tree.forget(nodeid, fuse_forget_in.read(bytes, body).nlookup)
      return noAnswer
    },

    [opcodes.FUSE_BATCH_FORGET]: ({ bytes }) => {
      const { count } = fuse_batch_forget_in.read(bytes, body)
      const first = body + fuse_batch_forget_in.size
      for (let n = 0; n < count; n++) {
        const { nodeid, nlookup } = fuse_forget_one.read(bytes, first + n * fuse_forget_one.size)
        tree.forget(nodeid, nlookup)
      }
      return noAnswer
    },
  }
}
