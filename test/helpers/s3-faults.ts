import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { atEnd } from './places.js'

/** What goes wrong with one request. */
export type S3Fault =
  /** The connection breaks before anything is done. */
  | 'reset'
  /** All is done, but nobody hears of it. */
  | 'unheard'
  /** It is done twice. */
  | 'twice'
  | '500'
  | 'slow-down'
  | 'expired'
  | 'not-implemented'
  | 'forbidden'
  /** What is to be put only where there is nothing meets something. */
  | 'there-already'
  /** No answer. */
  | 'stall'
  /** The body of the answer ends in its middle. */
  | 'cut-body'
  /** The body of the answer stands still in its middle. */
  | 'stalled-body'
  /** An answer that knows no ranges. */
  | 'no-range'
  /** An answer with other bytes than those that were asked for. */
  | 'other-range'

type Chooser = (what: { method: string; url: string }) => S3Fault | undefined

const errors = {
  '500': [500, 'InternalError'],
  'slow-down': [503, 'SlowDown'],
  expired: [400, 'ExpiredToken'],
  'not-implemented': [501, 'NotImplemented'],
  forbidden: [403, 'AccessDenied'],
  'there-already': [412, 'PreconditionFailed'],
} as const

/** Something in front of an S3 server that makes faults. @param tls its key and certificate, where it speaks TLS. @returns its URL. */
export async function faultsBefore(
  endpoint: string,
  choose: Chooser,
  tls?: { key: Buffer; cert: Buffer },
): Promise<string> {
  const { port: upstream } = new URL(endpoint)
  const listener = (asked: IncomingMessage, answer: ServerResponse) => {
    const fault = choose({ method: asked.method ?? '', url: asked.url ?? '' })
    const chunks: Buffer[] = []
    asked.on('error', () => {})
    answer.on('error', () => {})
    asked.on('data', (chunk) => chunks.push(chunk))
    asked.on('end', () => {
      handle(asked, Buffer.concat(chunks), answer, fault, Number(upstream)).catch(() => answer.destroy())
    })
    if (fault === 'reset') asked.socket.destroy()
  }
  const server = tls ? createTlsServer(tls, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(() => {
    server.closeAllConnections()
    server.close()
  })
  return `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${(server.address() as AddressInfo).port}`
}

async function handle(
  asked: IncomingMessage,
  body: Buffer,
  answer: ServerResponse,
  fault: S3Fault | undefined,
  port: number,
): Promise<void> {
  if (fault === 'stall' || fault === 'reset') return
  const error = errors[fault as keyof typeof errors]
  if (error) {
    const [status, code] = error
    answer.writeHead(status, { 'content-type': 'application/xml' })
    return void answer.end(
      asked.method === 'HEAD'
        ? ''
        : `<?xml version="1.0"?><Error><Code>${code}</Code><Message>by the test</Message></Error>`,
    )
  }
  if (fault === 'twice') await forward(asked, body, port)
  const got = await forward(asked, body, port)
  if (fault === 'unheard') return void answer.destroy()
  if (fault === 'no-range') delete got.headers['content-range']
  if (fault === 'other-range') got.headers['content-range'] = `bytes 0-${got.body.length - 1}/99999`
  answer.writeHead(fault === 'no-range' ? 200 : got.status, got.headers)
  const isCut = (fault === 'cut-body' || fault === 'stalled-body') && got.body.length > 1
  if (!isCut) return void answer.end(got.body)
  answer.write(got.body.subarray(0, got.body.length >> 1))
  if (fault === 'cut-body') setTimeout(() => answer.destroy(), 20)
}

interface Got {
  status: number
  headers: IncomingMessage['headers']
  body: Buffer
}

function forward({ method = '', url = '', headers }: IncomingMessage, body: Buffer, port: number) {
  return new Promise<Got>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, method, path: url, headers }, (got) => {
      const chunks: Buffer[] = []
      got.on('data', (chunk) => chunks.push(chunk))
      got.on('error', reject)
      got.on('end', () =>
        resolve({ status: got.statusCode ?? 0, headers: got.headers, body: Buffer.concat(chunks) }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
