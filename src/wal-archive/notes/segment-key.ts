import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { replaceDurably } from '../../system/files/durable.js'
import { readSmallText } from '../../system/files/read-small.js'

/**
 * Beside the backups: the secret of a root with which its notes are signed. Whoever hands over a backup, or a segment of WAL, cannot
 * make notes that count.
 */
const keyName = '.segment-notes.key'
const keyForm = /^[0-9a-f]{64}\n$/

/** Undefined where there is none, or it cannot be read. */
export function readSegmentKey(backups: string): Buffer | undefined {
  try {
    const text = readSmallText(join(backups, keyName), 65)
    return keyForm.test(text) ? Buffer.from(text.trim(), 'hex') : undefined
  } catch {
    return undefined // nothing depends on it
  }
}

/** The same, made where there is none. Of two processes that make one, both use the one that is there in the end. */
export async function segmentKey(backups: string): Promise<Buffer | undefined> {
  const known = readSegmentKey(backups)
  if (known) return known
  try {
    await replaceDurably(join(backups, keyName), `${randomBytes(32).toString('hex')}\n`)
  } catch {
    return undefined // a root that is read-only, or full
  }
  return readSegmentKey(backups)
}
