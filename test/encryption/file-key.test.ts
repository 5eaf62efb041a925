import { describe, expect, it } from '@jest/globals'
import { encryptedSize, encrypting } from '../../src/encryption/encrypt.js'
import { newFileKey, openFileKey } from '../../src/encryption/file-key.js'
import { type AgeHeader, headerIn } from '../../src/encryption/header.js'
import { thrownBy } from '../catalog/samples.js'
import { alice, allOf, aPlainFile, bob } from './samples.js'

const headerFor = async (...recipients: string[]) =>
  headerIn((await newFileKey(recipients)).header, 'the file') as AgeHeader

describe('the key of a file', () => {
  it('is another one for each file, also of the same bytes', async () => {
    const [one, other] = [await newFileKey([alice.recipient]), await newFileKey([alice.recipient])]
    expect(one.payloadKey.equals(other.payloadKey)).toBe(false)
    expect(one.header.subarray(-16).equals(other.header.subarray(-16))).toBe(false)
  })

  it('opens again with the identity of each recipient, to the same one', async () => {
    const key = await newFileKey([alice.recipient, bob.recipient])
    for (const identity of [alice, bob])
      expect(await openFileKey(headerIn(key.header, '') as AgeHeader, [identity], '')).toEqual(key)
  })

  it('says how large a file will be', async () => {
    for (const bytes of [0, 65_536, 65_537]) {
      const key = await newFileKey([alice.recipient])
      const file = encrypting(aPlainFile(Buffer.alloc(bytes)), key)
      expect(await allOf(file.read(0, file.bytes))).toHaveLength(encryptedSize(bytes, key))
    }
  })

  it('is not made for nobody', async () =>
    expect(await thrownBy(() => newFileKey([]))).toMatchObject({ code: 'config' }))

  it('is named by its recipients to who has none of their identities', async () => {
    const header = await headerFor(alice.recipient)
    const recipients = [alice.recipient, alice.recipient]
    expect(await thrownBy(() => openFileKey(header, [bob], 'the file', recipients))).toMatchObject({
      code: 'config',
      message: 'the file is encrypted, and no identity for it is among age1ahaz493q585s',
      hint: expect.stringContaining('the identity of age1zvkyg2lqzraa or age1zvkyg2lqzraa.'),
      facts: { kind: 'no-identity' },
    })
    expect(await thrownBy(() => openFileKey(header, [], 'the file'))).toMatchObject({
      message: 'the file is encrypted, and no identity was given',
      hint: expect.stringContaining('which the file itself does not name'),
    })
  })

  it('is damaged, and not a want of another identity, where that of a recipient does not open it', async () => {
    const header = await headerFor(bob.recipient)
    expect(await thrownBy(() => openFileKey(header, [alice], 'the file', [alice.recipient]))).toMatchObject({
      code: 'damaged',
    })
  })
})
