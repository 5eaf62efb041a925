import { read, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { PgbkError } from '../errors.js'
import { type NoRequest, noRequest, unlessNobodyWaits } from '../file-server/protocol/device.js'
import {
  FUSE_KERNEL_MINOR_VERSION,
  FUSE_KERNEL_VERSION,
  FUSE_ROOT_ID,
  fuse_attr,
  fuse_attr_out,
  fuse_in_header,
  fuse_init_in,
  fuse_init_out,
  fuse_out_header,
  fuse_read_in,
  initFlags,
  opcodes,
  outHeaderSize,
} from '../file-server/protocol/fuse.js'

/** The one file of the file system, which is its root. */
export interface ServedFile {
  bytes: number
  uid: number
  gid: number
  /**
   * How many bytes the kernel may read ahead, and in one request: without any it asks for each page by itself. What is worth it for a run is
   * known here, and each byte may cost something.
   */
  readAhead: number
  /** Fewer bytes only where it ends. Whatever it throws, who reads is told of an input/output error. */
  read(position: number, length: number): Promise<Buffer>
}

/** How long it may take until it is mounted, and how often that is looked for, in ms. */
const mountWithin = 60_000
const lookEvery = 5

/** Nothing is written, so requests are small; the kernel wants room for this much (FUSE_MIN_READ_BUFFER). */
const requestSize = 8192
const mostPages = 256
const pageSize = 4096
const forEver = 1_000_000_000
const mode = 0o100400

/** Where fuse_in_header and fuse_out_header have `unique`. */
const uniqueIn = 8
const uniqueOut = fuse_out_header.size

const readDevice = promisify(read)

/**
 * Shows a file through a file system that has nothing else, mounted on a file: answers the kernel's requests, as many at a time as it asks,
 * until that is neither mounted nor open anywhere any more.
 * @param device the descriptor of /dev/fuse that it is, or will soon be, mounted with.
 * @param isAwaited whether somebody is still there to mount it.
 * @throws {PgbkError} `failed` when it is not mounted.
 */
export async function serveImage(
  device: number,
  file: ServedFile,
  isAwaited: () => boolean = () => true,
): Promise<void> {
  const request = Buffer.allocUnsafeSlow(requestSize)
  for (let waited = 0; ; ) {
    const length = await nextRequest(device, request)
    if (length === 'over') return
    if (length === 'not mounted') {
      if (waited > mountWithin || !isAwaited()) throw new PgbkError('failed', 'the image was not mounted')
      await sleep(lookEvery)
      waited += lookEvery
    }
    if (typeof length === 'number') answerRequest(device, Buffer.from(request.subarray(0, length)), file)
  }
}

async function nextRequest(device: number, into: Buffer): Promise<number | NoRequest> {
  try {
    return (await readDevice(device, into, 0, into.length, null)).bytesRead
  } catch (error) {
    return noRequest(error)
  }
}

/** What the kernel expects no answer to. */
const unanswered = new Set<number>([opcodes.FUSE_FORGET, opcodes.FUSE_BATCH_FORGET, opcodes.FUSE_INTERRUPT])

function answerRequest(device: number, request: Buffer, file: ServedFile): void {
  const { opcode } = fuse_in_header.read(request, 0)
  if (unanswered.has(opcode)) return
  const send = (body: Buffer | undefined, error = 0) => sendAnswer(device, request, body, error)
  if (opcode === opcodes.FUSE_READ) {
    const { offset, size } = fuse_read_in.read(request, fuse_in_header.size)
    file.read(offset, size).then(send, () => send(undefined, -constants.errno.EIO))
  } else if (opcode === opcodes.FUSE_INIT) send(initAnswer(request, file))
  else if (opcode === opcodes.FUSE_GETATTR) send(attributesAnswer(file))
  else send(undefined, opcode === opcodes.FUSE_DESTROY ? 0 : -constants.errno.ENOSYS)
}

function sendAnswer(device: number, request: Buffer, body: Buffer | undefined, error: number): void {
  const header = Buffer.alloc(outHeaderSize)
  const len = outHeaderSize + (body?.length ?? 0)
  fuse_out_header.write(header, 0, { len, error })
  request.copy(header, uniqueOut, uniqueIn, uniqueIn + 8)
  try {
    writeSync(device, body ? Buffer.concat([header, body]) : header)
  } catch (failure) {
    unlessNobodyWaits(failure)
  }
}

function initAnswer(request: Buffer, { readAhead }: ServedFile): Buffer {
  const answer = Buffer.alloc(fuse_init_out.size)
  const { FUSE_ASYNC_READ, FUSE_NO_OPEN_SUPPORT, FUSE_MAX_PAGES } = initFlags
  fuse_init_out.write(answer, 0, {
    major: FUSE_KERNEL_VERSION,
    minor: FUSE_KERNEL_MINOR_VERSION,
    max_readahead: readAhead,
    flags:
      fuse_init_in.read(request, fuse_in_header.size).flags &
      (FUSE_ASYNC_READ | FUSE_NO_OPEN_SUPPORT | FUSE_MAX_PAGES),
    max_background: 64,
    congestion_threshold: 48,
    max_write: pageSize,
    time_gran: 1,
    max_pages: mostPages,
  })
  return answer
}

function attributesAnswer({ bytes, uid, gid }: ServedFile): Buffer {
  const answer = Buffer.alloc(fuse_attr_out.size + fuse_attr.size)
  fuse_attr_out.write(answer, 0, { attr_valid: forEver })
  fuse_attr.write(answer, fuse_attr_out.size, {
    ino: FUSE_ROOT_ID,
    size: bytes,
    blocks: Math.ceil(bytes / 512),
    mode,
    nlink: 1,
    uid,
    gid,
    blksize: pageSize,
  })
  return answer
}
