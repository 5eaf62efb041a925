import { lookup } from 'node:dns/promises'
import { describe, expect, it } from '@jest/globals'
import { PgbkError } from '../../../../src/errors.js'
import { s3Error } from '../../../../src/place/store/s3/s3-errors.js'
import { isPassing } from '../../../../src/place/store/s3/s3-failure.js'

function explained(error: unknown): PgbkError {
  const found = s3Error(error, 'read a')
  if (found instanceof PgbkError) return found
  throw found
}

/** As Node throws it. */
function coded(code: string, facts: object = {}): Error {
  return Object.assign(new Error(`it says ${code}`), { code, ...facts })
}

describe('an error of an S3 client', () => {
  it.each([
    'ENOTFOUND',
    'EAI_AGAIN',
    'EAI_FAIL',
    'ECONNREFUSED',
    'ECONNRESET',
    'EHOSTUNREACH',
    'EHOSTDOWN',
    'ENETUNREACH',
    'ENETDOWN',
    'EADDRNOTAVAIL',
    'ETIMEDOUT',
    'EPIPE',
    'EPROTO',
    'ERR_SSL_WRONG_VERSION_NUMBER',
    'HPE_INVALID_CONSTANT',
  ])('of the way there, %s, is that the store does not answer', (code) => {
    expect(explained(coded(code))).toMatchObject({ code: 'unreachable', hint: expect.stringContaining('up') })
    expect(isPassing(coded(code))).toBe(true)
  })

  it('that comes before there is a connection is that, whatever the system calls it', () => {
    expect(explained(coded('EPERM', { syscall: 'connect' }))).toMatchObject({ code: 'unreachable' })
  })

  it('for a name that nobody knows, as the system says it, names the name', async () => {
    const error = await lookup('nosuch.invalid').catch((error) => error)
    expect(explained(error)).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('nosuch.invalid'),
    })
  })

  it.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'not trusted', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'not trusted', 'NODE_EXTRA_CA_CERTS'],
    ['INVALID_CA', 'not trusted', 'NODE_EXTRA_CA_CERTS'],
    ['CERT_HAS_EXPIRED', 'not valid at this time', 'clock'],
    ['CERT_NOT_YET_VALID', 'not valid at this time', 'clock'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'another host name', 'path_style'],
  ])('of a certificate, %s, says what is wrong with it', (code, message, hint) => {
    expect(explained(coded(code))).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
  })

  it('that has no name, as answers to HEAD have none, is known by its status', () => {
    const error = Object.assign(new Error('UnknownError'), {
      name: 'Unknown',
      $metadata: { httpStatusCode: 403 },
    })
    expect(explained(error)).toMatchObject({
      message: 'cannot read a: access denied (HTTP 403)',
      facts: { kind: 'access-denied' },
    })
  })

  it.each(['ENOENT', 'EACCES', 'EIO'])('of the file that is sent, %s, stays what it is', (code) => {
    const error = coded(code, { syscall: 'read' })
    expect(s3Error(error, 'send a')).toBe(error)
  })
})
