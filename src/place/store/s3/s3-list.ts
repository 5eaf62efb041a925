import { PgbkError } from '../../../errors.js'
import { mostListed } from '../../contract/listing.js'
import type { StoredObject } from '../object-store.js'
import { countPages } from './s3-bounds.js'
import type { S3Connection } from './s3-client.js'

type Page = Awaited<ReturnType<typeof pageAfter>>

/** All objects whose keys begin so, below the store's prefix. @throws {PgbkError} `damaged` for more than so many. */
export async function* listS3(
  connection: S3Connection,
  prefix: string,
  most = mostListed,
): AsyncGenerator<StoredObject> {
  for await (const { Contents = [] } of pages(connection, { prefix, isFlat: false, most })) {
    for (const { Key = '', Size, LastModified, ETag } of Contents) {
      const key = keyOf(connection, Key, prefix)
      if (key === '') continue // somebody has made the prefix itself
      if (!isSize(Size) || LastModified === undefined)
        throw odd(connection, `${shown(key)} with the size ${Size}, and the time ${LastModified}`)
      yield { key, bytes: Size, changedAt: LastModified, tag: tagOf(ETag) }
    }
  }
}

/** The names of what lies right below a prefix and has something below it. @throws {PgbkError} as `listS3`. */
export async function directoriesInS3(
  connection: S3Connection,
  prefix: string,
  most = mostListed,
): Promise<string[]> {
  const names = new Set<string>()
  for await (const { CommonPrefixes = [] } of pages(connection, { prefix, isFlat: true, most }))
    for (const { Prefix = '' } of CommonPrefixes)
      names.add(keyOf(connection, Prefix, prefix).slice(prefix.length).replace(/\/$/, ''))
  return [...names]
}

/** Whether that can be one, in bytes. */
export function isSize(bytes: number | undefined): bytes is number {
  return Number.isSafeInteger(bytes) && (bytes as number) >= 0
}

export function tagOf(etag: string | undefined): string | undefined {
  return etag?.replaceAll('"', '')
}

interface Wanted {
  prefix: string
  isFlat: boolean
  most: number
}

async function* pages(connection: S3Connection, wanted: Wanted): AsyncGenerator<Page> {
  const count = countPages(
    connection.bucket,
    `objects below ${connection.prefix}${wanted.prefix}`,
    wanted.most,
  )
  for (let token: string | undefined; ; ) {
    const page = await pageAfter(connection, wanted, token)
    if (!isPage(page)) throw noList(connection)
    count((page.Contents?.length ?? 0) + (page.CommonPrefixes?.length ?? 0))
    yield page
    if (!page.IsTruncated) return
    const next = page.NextContinuationToken
    // What is not listed would be taken for missing.
    if (!next || next === token) throw odd(connection, 'a page of keys without a next one')
    token = next
  }
}

/** ListBucketResult has these (S3 API, ListObjectsV2); what a proxy answers in its place, or nothing, would be an empty store. */
function isPage({ Name, IsTruncated, KeyCount }: Page): boolean {
  return Name !== undefined || IsTruncated !== undefined || KeyCount !== undefined
}

function noList({ bucket }: S3Connection): PgbkError {
  return new PgbkError('damaged', `what answers for s3://${bucket} sends no list of objects`, {
    hint: 'Is the endpoint right, and is there a proxy or a login page in between?',
  })
}

function pageAfter(connection: S3Connection, { prefix, isFlat }: Wanted, token: string | undefined) {
  const { sdk, bucket, prefix: top } = connection
  const asked = { Bucket: bucket, Prefix: top + prefix, ...(isFlat && { Delimiter: '/' }) }
  return connection.need(`list ${top}${prefix}`, (client, options) =>
    client.send(
      new sdk.ListObjectsV2Command({ ...asked, ...(token && { ContinuationToken: token }) }),
      options,
    ),
  )
}

/** @throws {PgbkError} `damaged` for what was not asked for. */
function keyOf(connection: S3Connection, full: string, asked: string): string {
  if (!full.startsWith(connection.prefix + asked)) throw odd(connection, shown(full))
  return full.slice(connection.prefix.length)
}

function shown(key: string): string {
  return JSON.stringify(key.slice(0, 200))
}

function odd({ bucket }: S3Connection, what: string): PgbkError {
  return new PgbkError('damaged', `s3://${bucket} lists what was not asked for: ${what}`)
}
