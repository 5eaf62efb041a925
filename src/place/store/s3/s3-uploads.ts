import { mostListed } from '../../contract/listing.js'
import type { StoredObject } from '../object-store.js'
import { countPages } from './s3-bounds.js'
import type { S3Connection } from './s3-client.js'
import { isForbidden, isNothing, isNotSupported } from './s3-failure.js'
import { isSize, tagOf } from './s3-list.js'
import type { S3Settings } from './s3-settings.js'

/** An upload in parts that has not ended. */
interface Upload {
  key: string
  id: string
  startedAt: number
}

/** A part that is there. */
interface StoredPart {
  bytes: number
  tag: string
  changedAt: number
}

/** The upload to send parts to: the newest one of this key that was interrupted, or a new one. */
export async function uploadOf(
  connection: S3Connection,
  key: string,
  { storage_class: storageClass }: S3Settings,
  mayGoOn: boolean,
): Promise<string> {
  const [newest] = mayGoOn ? await uploadsOf(connection, key) : []
  if (newest) return newest.id
  const { sdk, bucket, prefix } = connection
  const asked = {
    Bucket: bucket,
    Key: prefix + key,
    ...(storageClass !== undefined && { StorageClass: storageClass as never }),
  }
  const { UploadId } = await connection.need(`send ${key}`, (client, options) =>
    client.send(new sdk.CreateMultipartUploadCommand(asked), options),
  )
  return UploadId ?? ''
}

/** Uploads of this very key, the newest first. None where these credentials may only write. */
async function uploadsOf(connection: S3Connection, key: string): Promise<Upload[]> {
  const uploads: Upload[] = []
  for await (const upload of openUploads(connection, key)) if (upload.key === key) uploads.push(upload)
  return uploads.sort((a, b) => b.startedAt - a.startedAt)
}

async function* openUploads(
  connection: S3Connection,
  start: string,
  most = mostListed,
): AsyncGenerator<Upload> {
  const { sdk, bucket, prefix } = connection
  const count = countPages(bucket, `uploads of ${prefix}${start}`, most)
  let marker = {}
  for (let last = ''; ; ) {
    const asked = { Bucket: bucket, Prefix: prefix + start, ...marker }
    const page = await unlessRefused(
      connection.ask((client, options) => client.send(new sdk.ListMultipartUploadsCommand(asked), options)),
    ).catch((error) => Promise.reject(connection.explain(error, `list the uploads of ${start}`)))
    count(page?.Uploads?.length ?? 0)
    // Not all stores heed the prefix.
    for (const { Key = '', UploadId = '', Initiated } of page?.Uploads ?? [])
      if (Key.startsWith(prefix + start) && UploadId !== '')
        yield { key: Key.slice(prefix.length), id: UploadId, startedAt: Initiated?.getTime() ?? 0 }
    const next = `${page?.NextKeyMarker}\n${page?.NextUploadIdMarker}`
    if (!page?.IsTruncated || next === last) return
    last = next
    marker = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  }
}

/** What is there of an upload, by the numbers of the parts. */
export async function partsThere(
  connection: S3Connection,
  key: string,
  uploadId: string,
): Promise<Map<number, StoredPart>> {
  const { sdk, bucket, prefix } = connection
  const parts = new Map<number, StoredPart>()
  const asked = { Bucket: bucket, Key: prefix + key, UploadId: uploadId }
  const count = countPages(bucket, `parts of ${prefix}${key}`)
  for (let marker: string | undefined; ; ) {
    const after = marker === undefined ? {} : { PartNumberMarker: marker }
    const page = await unlessRefused(
      connection.ask((client, options) =>
        client.send(new sdk.ListPartsCommand({ ...asked, ...after }), options),
      ),
    )
    count(page?.Parts?.length ?? 0)
    for (const { PartNumber = 0, Size, ETag, LastModified } of page?.Parts ?? [])
      if (isSize(Size))
        parts.set(PartNumber, {
          bytes: Size,
          tag: tagOf(ETag) ?? '',
          changedAt: LastModified?.getTime() ?? 0,
        })
    const next = page?.NextPartNumberMarker
    if (!page?.IsTruncated || !next || next === marker) return parts
    marker = next
  }
}

/** What all of them have left; one that began long ago may have got a part just now. */
export async function* unfinishedInS3(
  connection: S3Connection,
  start: string,
  most = mostListed,
): AsyncGenerator<StoredObject> {
  for await (const { key, id, startedAt } of openUploads(connection, start, most)) {
    const parts = [...(await partsThere(connection, key, id)).values()]
    const changedAt = new Date(Math.max(startedAt, ...parts.map((part) => part.changedAt)))
    yield { key, bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0), changedAt }
  }
}

/** Ends what interrupted uploads of these keys have left. Where that may not be done, a rule of the bucket does it. */
export async function abortUploads(connection: S3Connection, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return
  const wanted = new Set(keys)
  const { sdk, bucket, prefix } = connection
  for await (const { key, id } of openUploads(connection, commonStart(keys))) {
    if (!wanted.has(key)) continue
    const asked = { Bucket: bucket, Key: prefix + key, UploadId: id }
    await unlessRefused(
      connection.ask((client, options) => client.send(new sdk.AbortMultipartUploadCommand(asked), options)),
    ).catch((error) => Promise.reject(connection.explain(error, `end the upload of ${key}`)))
  }
}

function commonStart(keys: readonly string[]): string {
  const [first = '', ...others] = keys
  let length = first.length
  for (const key of others) while (!key.startsWith(first.slice(0, length))) length--
  return first.slice(0, length)
}

async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (isForbidden(error) || isNotSupported(error) || isNothing(error)) return undefined
    throw error
  }
}
