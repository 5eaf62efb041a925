import { fingerprintOf } from '../../encryption/recipient.js'
import { PgbkError } from '../../errors.js'
import { listOf } from '../../text/list-of.js'
import type { ClearRecord } from './clear-record.js'

/** That somebody asks more of an encrypted backup than it tells in clear. */
export function encryptedRecord({ id, encrypted }: ClearRecord): PgbkError {
  const recipients = listOf(encrypted.recipients.map(fingerprintOf), 'or')
  return new PgbkError('config', `backup ${id} is encrypted: only a list of it can be read where it lies`, {
    hint: `Bring it to another root, where it is as before: pgbk download ${id} --from THIS-ROOT --to DIR --identity FILE\nIt can be decrypted with the identity of ${recipients}.`,
    facts: { kind: 'no-identity' },
  })
}
