import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { PgbkError } from '../../../errors.js'
import { type InTurn, inParallel, oneAfterTheOther } from '../../../system/files/in-parallel.js'
import type { Sendable } from '../object-store.js'
import type { S3Connection } from './s3-client.js'
import { completeUpload } from './s3-complete.js'
import { isNotSupported, isPassing, s3Failure } from './s3-failure.js'
import { tagOf } from './s3-list.js'
import {
  atOnceOf,
  bytesOf,
  md5Of,
  mostInMemory,
  type Part,
  partSizeOf,
  partsOf,
  tagOfParts,
} from './s3-parts.js'
import type { S3Settings } from './s3-settings.js'
import { partsThere, uploadOf } from './s3-uploads.js'

/** How an object is sent: to which upload, what is there of it, and who is told. */
interface Sending {
  connection: S3Connection
  key: string
  what: Sendable
  uploadId: string
  onBytes(bytes: number): void
  /** Parts are read one after the other, in their order: whoever hashes what passes need not read it once more. */
  inTurn: InTurn
  /** Memory for parts that nobody uses: what is allocated anew each time would stay for a while. */
  rooms: Buffer[]
}

/**
 * Sends an object in parts, some at once; goes on with an upload that was interrupted.
 * @returns the tag that it must have now, where the store calls things by their MD5.
 */
export async function sendInParts(
  connection: S3Connection,
  key: string,
  what: Sendable,
  settings: S3Settings,
  onBytes: (bytes: number) => void,
): Promise<string | undefined> {
  const size = partSizeOf(what.bytes, settings)
  const parts = partsOf(what.bytes, size)
  let told = 0
  for (let isFirst = true; ; isFirst = false) {
    const uploadId = await uploadOf(connection, key, settings, isFirst)
    let sent = 0
    // Of what is sent a second time nobody is told again.
    const tell = (bytes: number) => {
      sent += bytes
      if (sent > told) onBytes(sent - Math.max(told, sent - bytes))
      told = Math.max(told, sent)
    }
    const sending = { connection, key, what, uploadId, onBytes: tell, inTurn: oneAfterTheOther(), rooms: [] }
    try {
      return await sendParts(sending, parts, size)
    } catch (error) {
      // Somebody has ended or finished it: one that went on with the same, or a rule of the bucket.
      if (!isFirst || !/^(NoSuchUpload|InvalidPart)$/.test(s3Failure(error).name))
        throw connection.explain(error, `send ${key}`)
    }
  }
}

async function sendParts(sending: Sending, parts: Part[], size: number): Promise<string | undefined> {
  const { connection, key, what, uploadId, onBytes, inTurn } = sending
  const there = await partsThere(connection, key, uploadId)
  const sums: Buffer[] = []
  const tags: string[] = []
  let isByMd5 = true
  await inParallel(parts, atOnceOf(size), async (part) => {
    const found = there.get(part.number)
    const isThere = found?.bytes === part.length && /^[0-9a-f]{32}$/.test(found.tag)
    const index = part.number - 1
    if (isThere && found) {
      const sum = await inTurn(() => md5Of(what, part))
      if (sum.toString('hex') === found.tag) {
        ;[sums[index], tags[index]] = [sum, found.tag]
        return onBytes(part.length)
      }
    }
    const { sum, tag } = await sendPart(sending, part, size)
    isByMd5 &&= tag === sum.toString('hex')
    ;[sums[index], tags[index]] = [sum, tag]
    onBytes(part.length)
  })
  const expected = isByMd5 ? tagOfParts(sums) : undefined
  await completeUpload(connection, { key, uploadId, tags, bytes: what.bytes, expected })
  return expected
}

async function sendPart(sending: Sending, part: Part, size: number): Promise<{ sum: Buffer; tag: string }> {
  const { what, inTurn, rooms } = sending
  if (size > mostInMemory) {
    const sum = await inTurn(() => md5Of(what, part))
    return {
      sum,
      tag: await putPart(sending, part, sum, () => Readable.from(what.read(part.from, part.length))),
    }
  }
  const room = rooms.pop() ?? Buffer.allocUnsafe(size)
  const bytes = await inTurn(() => bytesOf(what, part, room))
  const sum = createHash('md5').update(bytes).digest()
  const isStreamed = sending.connection.hasTls
  const tag = await putPart(sending, part, sum, () => (isStreamed ? Readable.from(piecesIn(bytes)) : bytes))
  rooms.push(room)
  return { sum, tag }
}

/** How often a stream is sent; of bytes in memory, which it signs, the client itself takes care. */
const attempts = 8

async function putPart(
  { connection, key, uploadId }: Sending,
  part: Part,
  md5: Buffer,
  bodyOf: () => Buffer | Readable,
): Promise<string> {
  const { sdk, bucket, prefix, signal } = connection
  const asked = { Bucket: bucket, Key: prefix + key, UploadId: uploadId, PartNumber: part.number }
  const checked = { ContentMD5: md5.toString('base64'), ContentLength: part.length }
  for (let attempt = 1; ; attempt++) {
    let isStream = false
    try {
      const { ETag } = await connection.ask((client, options) => {
        const Body = bodyOf()
        isStream = !Buffer.isBuffer(Body)
        return client.send(new sdk.UploadPartCommand({ ...asked, ...checked, Body }), options)
      })
      const tag = tagOf(ETag)
      if (tag) return tag
      throw new PgbkError('failed', `s3://${bucket} does not name the parts that it gets`)
    } catch (error) {
      if (!isStream || attempt === attempts || !isPassing(error)) throw error
      await sleep(200 * 2 ** attempt, undefined, { signal })
    }
  }
}

/** TLS keeps what it has encrypted until it is sent: of all that it gets at once, a copy. */
const pieceBytes = 256 << 10

function* piecesIn(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

/** Sends an object in one piece. @returns its tag. */
export async function sendWhole(
  connection: S3Connection,
  key: string,
  bytes: Buffer,
  { isOnlyIfAbsent = false, storageClass }: { isOnlyIfAbsent?: boolean; storageClass?: string | undefined },
): Promise<string | undefined> {
  const { sdk, bucket, prefix } = connection
  const asked = {
    Bucket: bucket,
    Key: prefix + key,
    Body: bytes,
    ContentLength: bytes.length,
    ContentMD5: createHash('md5').update(bytes).digest('base64'),
    ...(storageClass !== undefined && { StorageClass: storageClass as never }),
  }
  const put = (condition: { IfNoneMatch?: string }) =>
    connection.ask((client, options) =>
      client.send(new sdk.PutObjectCommand({ ...asked, ...condition }), options),
    )
  const condition = isOnlyIfAbsent ? { IfNoneMatch: '*' } : {}
  const answer = await put(condition).catch((error) => {
    if (isOnlyIfAbsent && isNotSupported(error)) return put({})
    throw error
  })
  return tagOf(answer.ETag)
}
