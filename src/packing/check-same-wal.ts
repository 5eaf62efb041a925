import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type ReadableBackup, snapshotOf } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { imageFacts } from '../forms/make-image.js'

/**
 * Compares the WAL in both forms of a snapshot, byte by byte: no manifest names it, and a pg_verifybackup of another major does not read
 * it. @throws {PgbkError} `damaged`.
 */
export async function checkSameWal(
  old: ReadableBackup,
  copy: ReadableBackup,
  context: Pick<Context, 'signal'>,
): Promise<void> {
  const [from, to] = [old, copy].map((backup) => join(snapshotOf(backup).data, 'pg_wal')) as [string, string]
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (!entry.isFile()) continue
    const [one, other] = [join(from, entry.name), join(to, entry.name)]
    const [wanted, found] = [await imageFacts(one, context), await imageFacts(other, context)]
    if (wanted.sha256 === found.sha256) continue
    throw new PgbkError('damaged', `pg_wal/${entry.name} of ${old.id} is not the same in its other form`, {
      hint: 'Nothing was changed. Look at the disk under the root.',
    })
  }
}
