import type { RecordSummary } from '../../catalog/record.js'
import { fingerprintOf } from '../../encryption/recipient.js'
import { listOf } from '../../text/list-of.js'

/** A backup that is there, by the clear part of its record. */
type There = Pick<RecordSummary, 'id' | 'encrypted'>

/**
 * Why WAL must not come beside a backup there: whoever reads a plain backup looks for plain WAL, of an encrypted one for encrypted WAL.
 * Undefined where it may.
 * @param recipients for whom that WAL is encrypted, if for anybody.
 */
export function misfitOf({ id, encrypted }: There, recipients: readonly string[]): string | undefined {
  const encrypts = recipients.length > 0
  if (encrypts === (encrypted !== undefined)) return undefined
  return encrypts
    ? `${id} is not encrypted there, and recipients are configured by now`
    : `${id} is encrypted there, and no recipients are configured`
}

/** What a reader of a backup must know whose newer WAL is encrypted for others than the backup itself; undefined where it is not. */
export function otherReadersOf({ id, encrypted }: There, recipients: readonly string[]): string | undefined {
  if (!encrypted || isSameSet(encrypted.recipients, recipients)) return undefined
  const named = (some: readonly string[]) => listOf(some.map(fingerprintOf), 'or')
  return `${id} is encrypted for ${named(encrypted.recipients)}, its newer WAL for ${named(recipients)}: to use it takes an identity of each`
}

function isSameSet(some: readonly string[], others: readonly string[]): boolean {
  return JSON.stringify([...some].sort()) === JSON.stringify([...others].sort())
}
