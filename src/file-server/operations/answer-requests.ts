import { fuse_in_header, fuse_out_header, outHeaderSize } from '../protocol/fuse.js'
import { errnoOf, Refusal } from '../protocol/refusal.js'
import { attributesOperations } from './attributes.js'
import { contentsOperations } from './contents.js'
import { directoriesOperations } from './directories.js'
import { lookUpOperations } from './look-up.js'
import { namesOperations } from './names.js'
import { type FileSystem, noAnswer, type Operation, type Request } from './operation.js'
import { sessionOperations } from './session.js'

/**
 * Carries a request out, and writes the answer to it. Both have room for more than that: requests say how long they are.
 * @returns how long the answer is in bytes; 0 where the kernel expects none.
 */
export type AnswerRequest = (request: Buffer, answer: Buffer) => number

/** @throws (when called) LostWrite, and what is a fault of pgbk: who asked is not answered then. */
export function answerRequests(fileSystem: FileSystem): AnswerRequest {
  const operations: Record<number, Operation> = {
    ...sessionOperations(fileSystem),
    ...lookUpOperations(fileSystem),
    ...attributesOperations(fileSystem),
    ...namesOperations(fileSystem),
    ...directoriesOperations(fileSystem),
    ...contentsOperations(fileSystem),
  }
  return (bytes, answer) => {
    const { opcode, nodeid } = fuse_in_header.read(bytes, 0)
    const { length, error } = carryOut(operations[opcode] ?? unknown, { opcode, nodeid, bytes }, answer)
    if (length === noAnswer) return 0
    const len = outHeaderSize + length
    fuse_out_header.write(answer, 0, { len, error })
    answer.writeUInt32LE(bytes.readUInt32LE(uniqueIn), uniqueOut)
    answer.writeUInt32LE(bytes.readUInt32LE(uniqueIn + 4), uniqueOut + 4)
    return len
  }
}

/** Where fuse_in_header and fuse_out_header have `unique`. */
const uniqueIn = 8
const uniqueOut = fuse_out_header.size

const unknown: Operation = () => {
  throw new Refusal('ENOSYS')
}

function carryOut(operation: Operation, request: Request, answer: Buffer): { length: number; error: number } {
  try {
    return { length: operation(request, answer), error: 0 }
  } catch (failure) {
    const error = errnoOf(failure)
    if (error === undefined) throw failure
    return { length: 0, error }
  }
}
