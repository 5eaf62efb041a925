import { hkdfSync, randomBytes } from 'node:crypto'
import type { Identity } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { type AgeHeader, damagedFile, nonceBytes } from './header.js'
import { noKeyFor } from './no-key.js'
import { checkRecipient, type Recipient } from './recipient.js'

/** What one file is encrypted with, and what it begins with. With both, its bytes can be made again. */
export interface FileKey {
  /** The header, with the nonce of the payload. */
  header: Buffer
  /** Of its chunks. Whoever has it reads the file. */
  payloadKey: Buffer
}

/** The key of a new file, which each of these can read. @throws {PgbkError} `config` for what is no recipient. */
export async function newFileKey(recipients: readonly Recipient[]): Promise<FileKey> {
  if (recipients.length === 0)
    throw new PgbkError('config', 'nobody is named whom a file is to be encrypted for')
  const { Encrypter } = await import('./age-library.js')
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(checkRecipient(recipient))
  let secret: Uint8Array = Buffer.alloc(0)
  // The library tells the file key to recipients alone: this one looks at it, and adds no stanza.
  encrypter.addRecipient({
    wrapFileKey(fileKey) {
      secret = fileKey
      return []
    },
  })
  const empty = Buffer.from(await encrypter.encrypt(new Uint8Array()))
  const text = empty.subarray(0, empty.lastIndexOf('\n--- ') + '\n--- '.length + macLength + 1)
  // Not the library's, with which it has sealed an empty chunk.
  const nonce = randomBytes(nonceBytes)
  return { header: Buffer.concat([text, nonce]), payloadKey: payloadKey(secret, nonce) }
}

/** 32 bytes in base64 without padding. */
const macLength = 43

/**
 * The key of a file that was encrypted.
 * @param file what errors call it.
 * @param recipients whom it was encrypted for, where that is known: the header does not tell.
 * @throws {PgbkError} `config` when none of the identities can read it; `damaged`.
 */
export async function openFileKey(
  { text, nonce }: AgeHeader,
  identities: readonly Identity[],
  file: string,
  recipients?: readonly Recipient[],
): Promise<FileKey> {
  const { Decrypter } = await import('./age-library.js')
  const decrypter = new Decrypter()
  for (const { secret } of identities) decrypter.addIdentity(secret)
  let noneFits = false
  // Asked last, when no other has found a stanza of its own.
  decrypter.addIdentity({
    unwrapFileKey() {
      noneFits = true
      return null
    },
  })
  try {
    const secret = await decrypter.decryptHeader(text)
    return { header: Buffer.concat([text, nonce]), payloadKey: payloadKey(secret, nonce) }
  } catch (cause) {
    const isFor = identities.some(({ recipient }) => recipients?.includes(recipient))
    if (noneFits && !isFor) throw noKeyFor(file, identities, recipients)
    const problem = noneFits ? 'no stanza of its header can be read' : messageOf(cause)
    throw damagedFile(file, problem, cause)
  }
}

function payloadKey(fileKey: Uint8Array, nonce: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32))
}
