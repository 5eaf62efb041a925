import { readSync, writeSync } from 'node:fs'
import { PgbkError } from '../errors.js'
import type { AnswerRequest } from './operations/answer-requests.js'
import { bufferSize } from './operations/session.js'
import { type NoRequest, noRequest, unlessNobodyWaits } from './protocol/device.js'

/** How long it may take until the file system is mounted, in ms, and how often that is looked for. */
const mountWithin = 60_000
const lookEvery = 2

/**
 * Answers the requests of a mounted file system, one after the other, until it is not mounted anywhere any more.
 * @param device the descriptor of /dev/fuse that it is, or will soon be, mounted with.
 * @throws {PgbkError} `failed` when it is not mounted; what `answerRequest` throws.
 */
export function serve(device: number, answerRequest: AnswerRequest): void {
  const request = Buffer.allocUnsafeSlow(bufferSize)
  const answer = Buffer.allocUnsafeSlow(bufferSize)
  for (let waited = 0; ; ) {
    const length = readRequest(device, request)
    if (length === 'over') return
    if (length === 'not mounted') {
      if (waited > mountWithin) throw new PgbkError('failed', 'the file system was not mounted')
      Atomics.wait(clock, 0, 0, lookEvery)
      waited += lookEvery
    }
    if (typeof length !== 'number') continue
    const answerLength = answerRequest(request, answer)
    if (answerLength > 0) send(device, answer, answerLength)
  }
}

/** Nobody wakes this thread. */
const clock = new Int32Array(new SharedArrayBuffer(4))

function readRequest(device: number, into: Buffer): number | NoRequest {
  try {
    return readSync(device, into, 0, into.length, null)
  } catch (error) {
    return noRequest(error)
  }
}

function send(device: number, answer: Buffer, length: number): void {
  try {
    writeSync(device, answer, 0, length, null)
  } catch (error) {
    unlessNobodyWaits(error)
  }
}
