import { checkJson, v } from '../schema.js'
import { replaceDurably } from '../system/files/durable.js'
import { lookAtNote } from '../system/files/read-note.js'
import { arrayOf, count, isoTime, text } from './entries/record-fields.js'
import type { BackupFiles } from './layout.js'
import { outcomeOf } from './proof-outcome.js'

/** The format of proof.json that this pgbk writes, and the only one that it reads. */
export const proofFormat = 1

const schema = v.object({
  format: v.literal(proofFormat),
  backup: text,
  finished_at: isoTime,
  ok: v.boolean(),
  faults: arrayOf(text),
  unproven: v.optional(arrayOf(v.object({ database: v.nullable(text), reason: text }))),
  postgres_version: text,
  ready_ms: v.nullable(count),
  replay_ms: v.nullable(count),
})

/** proof.json: what really starting a backup has shown. docs/format.md explains every field. */
export type Proof = v.InferOutput<typeof schema>

/** Clocks of machines that share a root differ by less. */
const mostAheadMs = 86_400_000

function isOfTheFuture({ finished_at }: Proof): boolean {
  return !(Date.parse(finished_at) <= Date.now() + mostAheadMs)
}

/** A proof that is not understood, of another backup, or made tomorrow, says neither that this one works nor that it does not. */
export function readProof(path: string, id: string): Proof | 'unreadable' | undefined {
  const note = lookAtNote(schema, path)
  return note.value === undefined && note.why === 'absent' ? undefined : understood(note.value, id)
}

/** The same for its text. */
export function proofIn(text: string, id: string): Proof | 'unreadable' {
  return understood(checkJson(schema, text).value, id)
}

function understood(proof: Proof | undefined, id: string): Proof | 'unreadable' {
  return proof === undefined || proof.backup !== id || isOfTheFuture(proof) ? 'unreadable' : proof
}

/** Replaces the proof before it. */
export async function writeProof(layout: BackupFiles, proof: Proof): Promise<void> {
  await replaceDurably(layout.proof, `${JSON.stringify(proof, undefined, 2)}\n`)
}

/**
 * What the newest check of a backup has shown. Wherever backups are chosen, `unproven` counts like `none`.
 */
export type CheckResult = ReturnType<typeof outcomeOf> | 'none'

export function resultOf(proof: Proof | 'unreadable' | undefined): CheckResult {
  return proof === undefined || proof === 'unreadable' ? 'none' : outcomeOf(proof)
}
