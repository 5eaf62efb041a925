import { describe, expect, it } from '@jest/globals'
import { connectS3 } from '../../../../src/place/store/s3/s3-client.js'
import { directoriesInS3, listS3 } from '../../../../src/place/store/s3/s3-list.js'
import { openObject } from '../../../../src/place/store/s3/s3-open.js'
import { unfinishedInS3 } from '../../../../src/place/store/s3/s3-uploads.js'
import { aContext, thrownBy } from '../../../catalog/samples.js'
import { atEnd } from '../../../helpers/places.js'
import { type AskedOfS3, aSmallS3, type OddAnswer } from '../../../helpers/small-s3.js'

async function aConnection(odd: (asked: AskedOfS3) => OddAnswer | undefined) {
  const { port, done } = await aSmallS3(odd)
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }
  const settings = { region: 'here', endpoint: `http://127.0.0.1:${port}` }
  const connection = await connectS3({ bucket: 'box', prefix: '' }, settings, aContext({ env }))
  atEnd(() => connection.close())
  return { connection, done }
}

/** One page after the other, and never the last. */
function endless(entry: (number: number) => string) {
  return ({ before }: AskedOfS3): OddAnswer => {
    const entries = [0, 1, 2].map((index) => entry(3 * before + index)).join('')
    const next = `<IsTruncated>true</IsTruncated><NextContinuationToken>${before}</NextContinuationToken>`
    return { body: `<ListBucketResult>${next}${entries}</ListBucketResult>` }
  }
}

const object = (key: string) =>
  `<Contents><Key>${key}</Key><Size>1</Size><LastModified>2026-11-30T00:00:00Z</LastModified></Contents>`

async function countOf(list: AsyncIterable<unknown>): Promise<number> {
  let count = 0
  for await (const _ of list) count++
  return count
}

describe('a list of a store in S3', () => {
  it.each([
    ['of ever new objects', (number: number) => object(`a/${number}`)],
    ['of the same object', () => object('a/1')],
    ['of directories', (number: number) => object(`a/${number}/`)],
  ])('%s that does not end is given up', async (_, entry) => {
    const { connection, done } = await aConnection(endless(entry))
    expect(await thrownBy(() => countOf(listS3(connection, 'a/', 10)))).toMatchObject({
      code: 'damaged',
      message: 's3://box lists more than 10 objects below a/',
    })
    expect(done()).toHaveLength(4)
  })

  it('of what lies right below a prefix that does not end is given up', async () => {
    const { connection, done } = await aConnection(
      endless((number) => `<CommonPrefixes><Prefix>a/${number}/</Prefix></CommonPrefixes>`),
    )
    expect(await thrownBy(() => directoriesInS3(connection, 'a/', 10))).toMatchObject({ code: 'damaged' })
    expect(done()).toHaveLength(4)
  })

  it('with nothing in it that does not end is given up', async () => {
    const { connection, done } = await aConnection(endless(() => ''))
    expect(await thrownBy(() => countOf(listS3(connection, 'a/', 3000)))).toMatchObject({ code: 'damaged' })
    expect(done()).toHaveLength(4)
  })

  it('of uploads that does not end is given up', async () => {
    const { connection } = await aConnection(({ what, before }) => {
      if (what !== 'GET uploads') return undefined
      const next = `<IsTruncated>true</IsTruncated><NextKeyMarker>${before}</NextKeyMarker>`
      return { body: `<X>${next}<NextUploadIdMarker>${before}</NextUploadIdMarker></X>` }
    })
    expect(await thrownBy(() => countOf(unfinishedInS3(connection, 'a/', 3000)))).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('uploads'),
    })
  })
})

describe('an answer of a store in S3', () => {
  const long = Buffer.alloc(65 << 20, ' ')

  it.each([200, 403])('that would fill the memory breaks off: %d', async (status) => {
    const { connection } = await aConnection(() => ({ status, body: long }))
    expect(await thrownBy(() => countOf(listS3(connection, 'a/')))).toMatchObject({
      code: 'damaged',
      message: 'the store answers with more than 64 MiB',
    })
  })

  it('may be as long as it likes where it is an object, but not where that is refused', async () => {
    const { connection } = await aConnection(({ path }) => ({
      status: path.endsWith('refused') ? 403 : 200,
      headers: { 'content-length': String(long.length) },
      body: long,
    }))
    const object = await openObject(connection, 'a', { from: 0, length: long.length }, undefined).catch(
      (error) => error,
    )
    expect(object).toMatchObject({ end: long.length })
    let read = 0
    for await (const piece of object.body) read += piece.length
    expect(read).toBe(long.length)
    expect(await thrownBy(() => openObject(connection, 'refused', { from: 0 }, undefined))).toMatchObject({
      code: 'damaged',
    })
  })
})

describe('a list of a store in S3', () => {
  it.each([
    ['nothing', ''],
    ['a login page', '<html><body>Log in</body></html>'],
  ])('in whose place %s comes is no empty store', async (_, body) => {
    const { connection } = await aConnection(() => ({ body }))
    const expected = { code: 'damaged', message: 'what answers for s3://box sends no list of objects' }
    expect(await thrownBy(() => countOf(listS3(connection, 'a/')))).toMatchObject(expected)
    expect(await thrownBy(() => directoriesInS3(connection, 'a/'))).toMatchObject(expected)
  })

  it.each(['-5', '1e30', 'NaN', 'abc'])('has no object of %p bytes', async (size) => {
    const body = `<X><IsTruncated>false</IsTruncated>${object('a/1').replace('<Size>1<', `<Size>${size}<`)}</X>`
    const { connection } = await aConnection(() => ({ body }))
    expect(await thrownBy(() => countOf(listS3(connection, 'a/')))).toBeDefined()
  })

  it('names each directory once, and takes no upload of another prefix for one of its own', async () => {
    const twice = '<CommonPrefixes><Prefix>a/1/</Prefix></CommonPrefixes>'.repeat(2)
    const upload = '<Upload><Key>b/1</Key><UploadId>one</UploadId></Upload>'
    const body = `<X><IsTruncated>false</IsTruncated>${twice}${upload}</X>`
    const { connection } = await aConnection(() => ({ body }))
    expect(await directoriesInS3(connection, 'a/')).toEqual(['1'])
    expect(await countOf(unfinishedInS3(connection, 'a/'))).toBe(0)
  })
})
