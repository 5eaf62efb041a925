import { describe, expect, it } from '@jest/globals'
import { type ExpectedSegment, readSegment } from '../../src/verify/segment-pages.js'

const pages = 8
const pageSize = 8192
const segmentSize = pages * pageSize
const start = 0x1_0000_0000n
const expected: ExpectedSegment = {
  start,
  segmentSize,
  systemIdentifier: '7574880158414284817',
  timeline: 2,
  mayBeOlder: false,
  mayBeEmpty: false,
  magic: undefined,
}

/** A segment as a server on a machine like this one writes it. */
function aSegment(timelineOf = (_page: number) => 2): Buffer {
  const bytes = Buffer.alloc(segmentSize, 0xee)
  for (let page = 0; page < pages; page++) {
    const at = page * pageSize
    bytes.writeUInt16LE(0xd110, at)
    bytes.writeUInt16LE(page === 0 ? 2 : 0, at + 2)
    bytes.writeUInt32LE(timelineOf(page), at + 4)
    bytes.writeBigUInt64LE(start + BigInt(at), at + 8)
  }
  bytes.writeBigUInt64LE(BigInt(expected.systemIdentifier), 24)
  bytes.writeUInt32LE(segmentSize, 32)
  bytes.writeUInt32LE(pageSize, 36)
  return bytes
}

function faultIn(
  bytes: Buffer,
  changes: Partial<ExpectedSegment> = {},
  piece = bytes.length,
): string | undefined {
  const reader = readSegment({ ...expected, ...changes })
  for (let at = 0; at < bytes.length; at += piece) reader.take(bytes.subarray(at, at + piece))
  return reader.fault()
}

describe('a segment', () => {
  it.each([segmentSize, pageSize, 1000, 8193])('in pieces of %i bytes has no fault', (piece) => {
    expect(faultIn(aSegment(), {}, piece)).toBeUndefined()
  })

  it('may end in zeros, but not go on after them', () => {
    const bytes = aSegment()
    bytes.fill(0, 3 * pageSize)
    expect(faultIn(bytes)).toBeUndefined()
    expect(faultIn(aSegment().fill(0, 3 * pageSize, 4 * pageSize))).toBe('it is zeroed at byte 24576')
    expect(faultIn(aSegment().fill(0, 0, pageSize))).toBe('its header is zeroed')
  })

  it('of zeros alone is one to which nothing was written yet, where that may be', () => {
    const empty = Buffer.alloc(segmentSize)
    expect(faultIn(empty)).toBe('its header is zeroed')
    expect(faultIn(empty, { mayBeEmpty: true })).toBeUndefined()
  })

  it('may begin with pages of the timeline that it left', () => {
    const switched = aSegment((page) => (page < 3 ? 1 : 2))
    expect(faultIn(switched, { mayBeOlder: true })).toBeUndefined()
    expect(faultIn(switched)).toBe('its header is of timeline 1, not 2')
    expect(
      faultIn(
        aSegment((page) => (page < 3 ? 2 : 3)),
        { mayBeOlder: true },
      ),
    ).toBe('its page at byte 24576 is of timeline 3, not 2')
  })

  it('has pages that know their places', () => {
    const bytes = aSegment()
    bytes.writeBigUInt64LE(7n * 2n ** 32n, pageSize + 8)
    expect(faultIn(bytes)).toBe('its page at byte 8192 belongs at 7/0, not at 1/2000')
  })

  it('is of the same version as the others', () => {
    const reader = readSegment(expected)
    reader.take(aSegment())
    expect(reader.magic()).toBe(0xd110)
    expect(faultIn(aSegment(), { magic: 0xd118 })).toContain(
      'another version of PostgreSQL (D110 instead of D118)',
    )
  })

  it.each([
    [segmentSize - 1, 'it has 65535 bytes instead of 65536'],
    [0, 'it has 0 bytes instead of 65536'],
  ])('of %i bytes is none', (length, fault) => expect(faultIn(aSegment().subarray(0, length))).toBe(fault))

  it.each([
    [2, 0, 'it does not begin as a segment does'],
    [24, 1, 'it is of another cluster (system identifier '],
    [32, 1, 'it is made for segments of '],
    [36, 1, 'its pages have '],
  ])('with another byte %i has a fault', (at, byte, fault) => {
    const bytes = aSegment()
    bytes[at] = byte
    expect(faultIn(bytes)).toContain(fault)
  })
})
