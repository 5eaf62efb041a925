import { describe, expect, it } from '@jest/globals'
import { checkRecipient, fingerprintOf, recipientFault } from '../../src/encryption/recipient.js'
import { alice } from './samples.js'

describe('a recipient', () => {
  it('is 32 bytes in bech32, and known by its beginning', () => {
    expect(checkRecipient(alice.recipient)).toBe(alice.recipient)
    expect(fingerprintOf(alice.recipient)).toBe('age1zvkyg2lqzraa')
  })

  it.each([
    [alice.recipient.replace('zvky', 'zvkz'), 'is not a whole recipient'],
    [alice.recipient.slice(0, -1), 'is not a whole recipient'],
    [alice.recipient.toUpperCase(), 'is not a recipient'],
    [alice.secret, 'is an identity, which is secret'],
    [alice.secret.toLowerCase(), 'is an identity, which is secret'],
    ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ', 'is an SSH key'],
    ['age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9', 'is a post-quantum recipient'],
    [
      'age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hy',
      'is the recipient of an age plugin',
    ],
    ['me@example.com', 'is not a recipient'],
    ['', 'is not a recipient'],
  ])('is not %j', (text, fault) => {
    expect(recipientFault(text)).toContain(fault)
    expect(() => checkRecipient(text)).toThrow(fault)
  })

  it('never has a secret in its error', () => {
    expect(() => checkRecipient(alice.secret)).not.toThrow(/GFPYYSJZ/)
  })
})
