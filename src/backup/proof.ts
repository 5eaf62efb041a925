import { checkJson, v } from '../schema.js'
import { replaceDurably } from './durable.js'
import type { BackupLayout } from './layout.js'
import { readIfThere } from './read-if-there.js'

/** The format of proof.json that this pgbk writes, and the only one that it reads. */
export const proofFormat = 1

const count = v.pipe(v.number(), v.integer(), v.minValue(0))

const schema = v.object({
  format: v.literal(proofFormat),
  backup: v.string(),
  finished_at: v.pipe(v.string(), v.isoTimestamp()),
  ok: v.boolean(),
  faults: v.array(v.string()),
  postgres_version: v.string(),
  ready_ms: v.nullable(count),
  replay_ms: v.nullable(count),
})

/** proof.json: what really starting a backup has shown. docs/format.md explains every field. */
export type Proof = v.InferOutput<typeof schema>

/** A proof that is not understood, or of another backup, says neither that this one works nor that it does not. */
export function readProof(path: string, id: string): Proof | 'unreadable' | undefined {
  const text = readIfThere(path)
  if (text === undefined) return undefined
  const { value } = checkJson(schema, text)
  return value === undefined || value.backup !== id ? 'unreadable' : value
}

/** Replaces the proof before it. */
export async function writeProof(layout: BackupLayout, proof: Proof): Promise<void> {
  await replaceDurably(layout.proof, `${JSON.stringify(proof, undefined, 2)}\n`)
}

/** What the newest check of a backup has shown. */
export type CheckResult = 'proven' | 'failed' | 'none'

export function resultOf(proof: Proof | 'unreadable' | undefined): CheckResult {
  if (proof === undefined || proof === 'unreadable') return 'none'
  return proof.ok ? 'proven' : 'failed'
}
