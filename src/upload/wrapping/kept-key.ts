import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type FileKey, newFileKey } from '../../encryption/file-key.js'
import type { Recipient } from '../../encryption/recipient.js'
import { v } from '../../schema.js'
import { replaceDurably } from '../../system/files/durable.js'
import { readNote } from '../../system/files/read-note.js'
import type { SameAgain } from './wrapping.js'

/** A short name of some recipients. */
export function whoseOf(recipients: readonly Recipient[]): string {
  return createHash('sha256').update(recipients.join('\n')).digest('hex').slice(0, 16)
}

const schema = v.object({ sha256: v.string(), header: v.string(), payload_key: v.string() })

/**
 * The key of a file whose upload may be gone on with: the parts of it that were sent stay what they are. It is kept, for nobody but its
 * owner, beside what it encrypts, and only for that content: two that have one key can be read without it.
 */
export async function keptKey(
  { sha256, directory }: SameAgain,
  recipients: readonly Recipient[],
): Promise<FileKey> {
  const path = join(directory, `.pgbk-key-${whoseOf(recipients)}.json`)
  const kept = readNote(schema, path)
  if (kept?.sha256 === sha256)
    return {
      header: Buffer.from(kept.header, 'base64'),
      payloadKey: Buffer.from(kept.payload_key, 'base64'),
    }
  const key = await newFileKey(recipients)
  const [header, payload_key] = [key.header.toString('base64'), key.payloadKey.toString('base64')]
  await replaceDurably(path, `${JSON.stringify({ sha256, header, payload_key })}\n`)
  return key
}
