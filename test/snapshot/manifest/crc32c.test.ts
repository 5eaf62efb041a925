import { describe, expect, it } from '@jest/globals'
import { crc32cHex, crc32cStart, updateCrc32c } from '../../../src/snapshot/manifest/crc32c.js'

/** As a manifest writes it: the bytes in the machine's order, which is little-endian wherever these tests run. */
const hexOf = (...parts: Uint8Array[]) => crc32cHex(parts.reduce(updateCrc32c, crc32cStart))
const inOrder = (checksum: string) => Buffer.from(checksum, 'hex').reverse().toString('hex')

describe('CRC-32C', () => {
  it.each([
    ['nothing', Buffer.alloc(0), '00000000'],
    ['the check value of the algorithm', Buffer.from('123456789'), 'e3069283'],
    ['32 zeros (RFC 3720)', Buffer.alloc(32), '8a9136aa'],
    ['32 bytes of ones (RFC 3720)', Buffer.alloc(32, 0xff), '62a8ab43'],
    ['ascending bytes (RFC 3720)', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), '46dd794e'],
    ['descending bytes (RFC 3720)', Buffer.from(Array.from({ length: 32 }, (_, i) => 31 - i)), '113fdb5c'],
  ])('of %s', (_, bytes, checksum) => expect(hexOf(bytes)).toBe(inOrder(checksum)))

  it('is the same however the bytes are cut, and wherever they lie in memory', () => {
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7919) & 255))
    const whole = hexOf(bytes)
    for (let cut = 0; cut < 40; cut++) {
      expect(hexOf(bytes.subarray(0, cut), bytes.subarray(cut, 500), bytes.subarray(500))).toBe(whole)
      const moved = Buffer.concat([Buffer.alloc(cut), bytes])
      expect(hexOf(moved.subarray(cut))).toBe(whole)
    }
  })
})
