import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { atEnd } from './places.js'

/** What somebody has asked a small S3 server for. */
export interface AskedOfS3 {
  /** `PUT part`, `POST complete`: what is done, whatever the key. */
  what: string
  /** With its bucket, where that is in the path. */
  path: string
  query: URLSearchParams
  headers: IncomingMessage['headers']
  /** How often the same has been asked before. */
  before: number
}

interface Answer {
  status?: number
  /** Of an error. */
  code?: string
  body?: string | Buffer
  headers?: Record<string, string>
  afterMs?: number
}

/** An answer in the place of the right one, or what of it is different; `lost` is none, though all was done. */
export type OddAnswer = 'lost' | Answer

interface SmallS3 {
  port: number
  asked: AskedOfS3[]
  /** What was asked, in its order. */
  done(): string[]
}

/**
 * An S3 server for what no real one can be brought to: one object after the other, by its whole path, in memory, and no look at signatures.
 * @param odd what is answered in the place of what is right.
 */
export async function aSmallS3(
  odd: (asked: AskedOfS3) => OddAnswer | undefined = () => undefined,
  tls?: { key: Buffer | string; cert: Buffer | string },
): Promise<SmallS3> {
  const asked: AskedOfS3[] = []
  const objects = new Map<string, { bytes: Buffer; tag: string }>()
  const parts = new Map<number, Buffer>()
  const right = ({ what, path, query }: AskedOfS3, body: Buffer): Answer => {
    const found = objects.get(path)
    switch (what) {
      case 'POST begin':
        parts.clear()
        return { body: '<X><UploadId>one</UploadId></X>' }
      case 'PUT part':
        parts.set(Number(query.get('partNumber')), body)
        return { headers: { etag: `"${md5(body)}"` } }
      case 'POST complete': {
        const all = [...parts].sort(([a], [b]) => a - b).map(([, bytes]) => bytes)
        const tag = `${md5(Buffer.concat(all.map((bytes) => Buffer.from(md5(bytes), 'hex'))))}-${all.length}`
        objects.set(path, { bytes: Buffer.concat(all), tag })
        return { body: `<X><ETag>"${tag}"</ETag></X>` }
      }
      case 'PUT':
        objects.set(path, { bytes: body, tag: md5(body) })
        return { headers: { etag: `"${md5(body)}"` } }
      case 'HEAD':
        if (!found) return { status: 404 }
        return { headers: { etag: `"${found.tag}"`, 'content-length': String(found.bytes.length) } }
      case 'DELETE':
        objects.delete(path)
        return { status: 204 }
      case 'GET object-lock':
        return { status: 404, code: 'ObjectLockConfigurationNotFoundError' }
      default:
        return { body: '<X><IsTruncated>false</IsTruncated></X>' }
    }
  }
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { pathname: path, searchParams: query } = new URL(request.url ?? '', 'http://any')
    const what = nameOf(request.method ?? '', query)
    const before = asked.filter((one) => one.what === what).length
    const one = { what, path, query, headers: request.headers, before }
    asked.push(one)
    const other = odd(one)
    const isRefused = typeof other === 'object' && (other.code !== undefined || (other.status ?? 200) >= 300)
    const answer = isRefused ? {} : right(one, Buffer.concat(chunks))
    if (other === 'lost') return void request.socket.destroy()
    send(response, { ...answer, ...other, headers: { ...answer.headers, ...other?.headers } })
  }
  const handle = (request: IncomingMessage, response: ServerResponse) =>
    void listener(request, response).catch(() => response.destroy())
  const server = tls ? createTlsServer(tls, handle) : createServer(handle)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, asked, done: () => asked.map(({ what }) => what) }
}

function nameOf(method: string, query: URLSearchParams): string {
  if (query.has('partNumber')) return `${method} part`
  if (method === 'POST') return query.has('uploads') ? 'POST begin' : 'POST complete'
  const of = ['uploads', 'uploadId', 'object-lock', 'list-type'].find((name) => query.has(name))
  return of === undefined ? method : `${method} ${of}`
}

function send(
  response: ServerResponse,
  { status = 200, code, headers = {}, afterMs = 0, ...answer }: Answer,
) {
  const body =
    code === undefined ? answer.body : `<Error><Code>${code}</Code><Message>by the test</Message></Error>`
  response.writeHead(status, { 'last-modified': new Date().toUTCString(), ...headers })
  setTimeout(() => response.end(body), afterMs)
}

function md5(bytes: Buffer): string {
  return createHash('md5').update(bytes).digest('hex')
}
