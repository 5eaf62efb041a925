import type { Identity } from '../context.js'
import { PgbkError } from '../errors.js'
import { listOf } from '../text/list-of.js'
import { fingerprintOf, type Recipient } from './recipient.js'

/**
 * That a file cannot be decrypted for want of a key.
 * @param identities those that were tried.
 * @param recipients whom it was encrypted for, where that is known.
 */
export function noKeyFor(
  file: string,
  identities: readonly Pick<Identity, 'recipient'>[],
  recipients?: readonly Recipient[],
): PgbkError {
  const [tried, wanted] = [identities.map(({ recipient }) => recipient), recipients ?? []]
  const what = tried.length === 0 ? 'no identity was given' : `no identity for it is among ${shown(tried)}`
  return new PgbkError('config', `${file} is encrypted, and ${what}`, {
    hint: `${
      wanted.length === 0
        ? 'It can be read with the identity of one of its recipients, which the file itself does not name.'
        : `One of these would do: the identity of ${shown(wanted, 'or')}.`
    } Give its file with --identity FILE, or PGBK_IDENTITY_FILE; pgbk key show FILE tells which recipient a file is for.`,
    facts: { kind: 'no-identity' },
  })
}

function shown(recipients: readonly Recipient[], last?: 'or'): string {
  return listOf(recipients.map(fingerprintOf), last)
}
