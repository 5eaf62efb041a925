import { createDecipheriv, type ScryptOptions, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { messageOf, PgbkError } from '../errors.js'

/**
 * What is in a file that a passphrase protects (c2sp.org/age, chapter "The scrypt recipient type"); undefined for a wrong one. Node's
 * scrypt computes in a thread of its own, where the library's would keep this process from hearing Ctrl-C, and a spinner from turning.
 * @throws {PgbkError} `config` for a file that is damaged, or takes more memory than the age programs ask for.
 */
export async function openedByPassphrase(
  passphrase: string,
  encrypted: Uint8Array,
  file: string,
): Promise<string | undefined> {
  const { Decrypter } = await import('./age-library.js')
  const decrypter = new Decrypter()
  let isWrong = false
  decrypter.addIdentity({
    async unwrapFileKey([stanza, ...others]: Stanza[]) {
      if (!stanza || others.length > 0) throw unopened(file, 'it is for somebody else, too')
      const key = await unwrapped(stanza, passphrase, file)
      isWrong = key === undefined
      return key ?? null
    },
  })
  try {
    return await decrypter.decrypt(encrypted, 'text')
  } catch (cause) {
    if (isWrong) return undefined
    throw cause instanceof PgbkError ? cause : unopened(file, messageOf(cause), cause)
  }
}

function unopened(file: string, problem: string, cause?: unknown): PgbkError {
  return new PgbkError('config', `${file} cannot be opened: ${problem}`, { cause })
}

interface Stanza {
  readonly args: readonly string[]
  readonly body: Uint8Array
}

const label = 'age-encryption.org/v1/scrypt'

/** 1 GiB of memory; age itself writes 18. */
const mostWorkFactor = 20

const tagBytes = 16

async function unwrapped(
  { args, body }: Stanza,
  passphrase: string,
  file: string,
): Promise<Buffer | undefined> {
  const [kind, salt = '', factor = ''] = args
  const salted = Buffer.from(salt, 'base64')
  if (kind !== 'scrypt' || salted.length !== 16 || !/^[1-9]\d?$/.test(factor) || body.length !== 32)
    throw unopened(file, 'its header is damaged')
  if (Number(factor) > mostWorkFactor)
    throw unopened(
      file,
      `its scrypt work factor is ${factor}, and more than ${mostWorkFactor} is not accepted`,
    )
  const N = 2 ** Number(factor)
  const key = await derived(passphrase, Buffer.concat([Buffer.from(label), salted]), 32, {
    ...{ N, r: 8, p: 1 },
    maxmem: 2 * 128 * 8 * (N + 3),
  })
  const decipher = createDecipheriv('chacha20-poly1305', key, Buffer.alloc(12), { authTagLength: tagBytes })
  decipher.setAuthTag(body.subarray(-tagBytes))
  const fileKey = decipher.update(body.subarray(0, -tagBytes))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return fileKey
}

const derived = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)
