import { expect, it } from '@jest/globals'
import { withRawNames } from '../../../src/postgres/local/raw-startup.js'
import { textOf } from '../../../src/text/raw-text.js'

const packetOf = (body: Buffer) => {
  const header = Buffer.alloc(8)
  header.writeUInt32BE(body.length + 8)
  header.writeUInt32BE(3 << 16, 4)
  return Buffer.concat([header, body])
}

it('the bytes of two names come into a startup message, whose length is right, and nothing else changes', () => {
  const before = Buffer.from('user\0me\0database\0x\0options\0-c database=user\0application_name\0é\0\0')
  const names = { user: 'other', database: textOf(Buffer.from('caf\xe9', 'latin1')) }
  const after = Buffer.concat([
    Buffer.from('user\0other\0database\0'),
    Buffer.from('caf\xe9', 'latin1'),
    Buffer.from('\0options\0-c database=user\0application_name\0é\0\0'),
  ])
  expect(withRawNames(packetOf(before), names)).toEqual(packetOf(after))
})
