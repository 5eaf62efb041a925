import { PgbkError } from '../errors.js'
import { isBech32 } from './bech32.js'

/** A public key that files are encrypted for: `age1...`, of the kind X25519. */
export type Recipient = string

const ofX25519 = /^age1[02-9ac-hj-np-z]{58}$/

const otherKinds: [RegExp, string][] = [
  [
    /^AGE-SECRET-KEY-/i,
    'an identity, which is secret. pgbk key show FILE prints the recipient that belongs to it',
  ],
  [/^age1pq1/, 'a post-quantum recipient, which pgbk does not encrypt for'],
  [/^(ssh|ecdsa|sk-ssh)-/, 'an SSH key, which pgbk does not encrypt for'],
  [/^age1[a-z0-9-]*1/, 'the recipient of an age plugin, which pgbk does not run'],
]

/** Why a text is no recipient that pgbk encrypts for; undefined where it is one. It never has the text itself in it. */
export function recipientFault(text: string): string | undefined {
  const kind = otherKinds.find(([pattern]) => pattern.test(text))?.[1]
  if (ofX25519.test(text) && isBech32(text)) return undefined
  if (kind !== undefined) return `is ${kind}`
  return text.startsWith('age1')
    ? 'is not a whole recipient: a character of it is missing or mistyped'
    : 'is not a recipient, which begins with age1'
}

/** @throws {PgbkError} `config`. */
export function checkRecipient(text: string): Recipient {
  const fault = recipientFault(text)
  if (fault === undefined) return text
  throw new PgbkError('config', `${isSecret(text) ? 'one of the recipients' : text.slice(0, 80)} ${fault}`, {
    hint: 'A recipient is the public key that pgbk key new, or age-keygen, prints: age1 and 58 characters.',
  })
}

function isSecret(text: string): boolean {
  return /^AGE-/i.test(text)
}

/** Its beginning, by which a person finds it among others: 60 of its 256 bits. */
export function fingerprintOf(recipient: Recipient): string {
  return recipient.slice(0, 16)
}
