import { beforeEach, describe, expect, it } from '@jest/globals'
import { answerRequests } from '../../../src/file-server/operations/answer-requests.js'
import { LostWrite } from '../../../src/file-server/operations/contents.js'
import {
  FUSE_ROOT_ID,
  FUSE_WRITE_CACHE,
  fuse_entry_out,
  fuse_in_header,
  fuse_out_header,
  fuse_write_in,
  opcodes,
  outHeaderSize,
} from '../../../src/file-server/protocol/fuse.js'
import { Tree } from '../../../src/file-server/tree/tree.js'
import { anOrigin, aStore } from '../../helpers/file-server.js'

/** Asks as the kernel does. @returns the error, 0 for none, and the answer. */
type Ask = (opcode: number, nodeid: number, ...parts: Buffer[]) => { error: number; answer: Buffer }

function aFileServer(room: number): Ask {
  const store = aStore(room)
  const tree = new Tree({ origin: anOrigin({ table: Buffer.alloc(8192) }), store })
  const answerRequest = answerRequests({ tree, store, owner: { uid: 1, gid: 1 } })
  return (opcode, nodeid, ...parts) => {
    const header = Buffer.alloc(fuse_in_header.size)
    fuse_in_header.write(header, 0, { opcode, nodeid, unique: 11 })
    const answer = Buffer.alloc(100_000)
    const ofOneBefore = Buffer.alloc(100_000, 'old')
    const length = answerRequest(Buffer.concat([header, ...parts, ofOneBefore]), answer)
    const { len, error } = fuse_out_header.read(answer, 0)
    expect({ len, unique: answer.readBigUInt64LE(8) }).toEqual({ len: length, unique: 11n })
    return { error, answer: answer.subarray(outHeaderSize, length) }
  }
}

function write(size: number, write_flags = 0): Buffer[] {
  const head = Buffer.alloc(fuse_write_in.size)
  fuse_write_in.write(head, 0, { offset: 8192, size, write_flags })
  return [head, Buffer.alloc(size, 'x')]
}

describe('a disk without room', () => {
  let ask: Ask
  let file: number
  beforeEach(() => {
    ask = aFileServer(5000)
    const { answer } = ask(opcodes.FUSE_LOOKUP, FUSE_ROOT_ID, Buffer.from('table\0'))
    file = fuse_entry_out.read(answer, 0).nodeid
  })

  it('is what who writes is told', () => {
    expect(ask(opcodes.FUSE_WRITE, file, ...write(4096)).error).toBe(0)
    expect(ask(opcodes.FUSE_WRITE, file, ...write(4096)).error).toBe(-28) // ENOSPC
  })

  it('ends the file server when nobody can be told any more', () => {
    expect(() => ask(opcodes.FUSE_WRITE, file, ...write(8192, FUSE_WRITE_CACHE))).toThrow(LostWrite)
  })
})

it('what is not known is refused, so that the kernel does without it', () => {
  const ask = aFileServer(0)
  expect(ask(9999, FUSE_ROOT_ID).error).toBe(-38) // ENOSYS
  expect(ask(opcodes.FUSE_GETATTR, 4711).error).toBe(-116) // ESTALE
})
