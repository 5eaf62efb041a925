import type { Context, Identity } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { headerIn } from './header.js'
import { openedByPassphrase } from './passphrase.js'

/** What a file with a passphrase is opened with. */
export type Opening = Pick<Context, 'askSecret' | 'progress' | 'signal'>

/**
 * The identities in a file, as age reads it: one in a line, comments begin with #. One that is itself encrypted by a passphrase
 * (`age -p`), armored or not, is opened.
 * @param file its name.
 * @throws {PgbkError} `config` for a line that is none, saying which and never what is in it, and for a passphrase that is wrong.
 */
export async function identitiesIn(content: Buffer, file: string, opening: Opening): Promise<Identity[]> {
  const text = isSealed(content)
    ? await openedBy(opening, await unarmored(content, file), file)
    : content.toString()
  const found: Identity[] = []
  for (const [index, line] of text
    .split('\n')
    .map((one) => one.trim())
    .entries())
    if (line !== '' && !line.startsWith('#'))
      found.push(await identityOf(line, `line ${index + 1} of ${file}`))
  if (found.length === 0) throw unusable(`${file} has no identity`)
  return found
}

const otherKinds: [RegExp, string][] = [
  [/^AGE-SECRET-KEY-PQ-1/, 'a post-quantum identity, which pgbk does not use'],
  [/^AGE-PLUGIN-/, 'the identity of an age plugin, which pgbk does not run'],
  [/^-----BEGIN .*PRIVATE KEY/, 'an SSH key, or another private key that is no identity of age'],
  [/^age1/, 'a recipient: what decrypts is the identity that it belongs to'],
]

/** @param where `line 3 of key.txt` */
async function identityOf(line: string, where: string): Promise<Identity> {
  const kind = otherKinds.find(([pattern]) => pattern.test(line))?.[1]
  if (kind !== undefined) throw unusable(`${where} is ${kind}`)
  const { identityToRecipient } = await import('./age-library.js')
  try {
    return { secret: line, recipient: await identityToRecipient(line) }
  } catch {
    // The library's error may have the line in it.
    throw unusable(`${where} is not an identity of age: AGE-SECRET-KEY-1 and 58 characters`)
  }
}

function unusable(message: string): PgbkError {
  return new PgbkError('config', message, {
    hint: 'pgbk key new writes a file that can be used, as age-keygen does.',
  })
}

const start = 'age-encryption.org/v1'
const armor = '-----BEGIN AGE ENCRYPTED FILE-----'

/** Whether what is in a file of identities is encrypted itself. */
export function isSealed(content: Buffer): boolean {
  return isBinary(content) || content.toString().trimStart().startsWith(armor)
}

function isBinary(content: Buffer): boolean {
  return content.subarray(0, start.length).equals(Buffer.from(start))
}

async function unarmored(content: Buffer, file: string): Promise<Uint8Array> {
  if (isBinary(content)) return content
  const { armor: armored } = await import('./age-library.js')
  try {
    return armored.decode(content.toString().trimStart())
  } catch (cause) {
    throw new PgbkError('config', `${file} is damaged: ${messageOf(cause)}`)
  }
}

const mostTries = 3

async function openedBy(
  { askSecret, progress, signal }: Opening,
  encrypted: Uint8Array,
  file: string,
): Promise<string> {
  if (!isByPassphrase(encrypted, file))
    throw new PgbkError('config', `${file} is itself encrypted, and not by a passphrase`, {
      hint: 'Decrypt it with age, into a file that nobody but you can read.',
    })
  if (!askSecret)
    throw new PgbkError(
      'config',
      `${file} is protected by a passphrase, and there is no terminal to ask for it`,
      {
        hint: 'Start pgbk at a terminal, or name a file of identities that is not encrypted.',
      },
    )
  for (let tries = 1; ; tries += 1) {
    const passphrase = await askSecret(`${tries === 1 ? '' : 'That was not it. '}Passphrase of ${file}: `)
    // It takes seconds, by design.
    progress.step(`opening ${file} with its passphrase`)
    const opened = await openedByPassphrase(passphrase, encrypted, file).finally(() => progress.end())
    signal.throwIfAborted()
    if (opened !== undefined) return opened
    if (tries === mostTries) throw new PgbkError('config', `this is not the passphrase of ${file}`)
  }
}

function isByPassphrase(encrypted: Uint8Array, file: string): boolean {
  const header = headerIn(Buffer.from(encrypted), file)
  return header !== undefined && /^-> scrypt /m.test(header.text.toString())
}
