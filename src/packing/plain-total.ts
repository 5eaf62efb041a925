import type { StoredBackup } from '../catalog/backup.js'

/** From so many plain backups on it is told what they would take packed. */
export const manyPlain = 5

/** What the plain backups of a root take that share nothing with others. */
export interface PlainTotal {
  count: number
  bytes: number
  /** What they would about take packed; undefined where none of them was looked at when it was made. */
  packedBytes: number | undefined
}

/** Whether a backup takes its full size, and would take less packed. */
export function isPlainAlone({ form, state, storedBytes, ownBytes }: StoredBackup): boolean {
  return form === 'plain' && state === 'whole' && ownBytes === storedBytes
}

/** @param measured the share of its size that one of them saves, where that has been looked at now. Undefined where they are not many. */
export function plainTotal(backups: readonly StoredBackup[], measured?: number): PlainTotal | undefined {
  const plain = backups.filter(isPlainAlone)
  if (plain.length < manyPlain) return undefined
  const saved = measured ?? plain.map(savedShare).find((share) => share !== undefined)
  const bytes = plain.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  const packed = plain.map((one) => one.storedBytes * (1 - (savedShare(one) ?? saved ?? 0)))
  const packedBytes = Math.round(packed.reduce((sum, one) => sum + one, 0))
  return { count: plain.length, bytes, packedBytes: saved === undefined ? undefined : packedBytes }
}

/** Of its size, what a plain backup would save packed, by what was looked at when it was made. */
export function savedShare({ summary, storedBytes }: StoredBackup): number | undefined {
  return summary.pack_saves === undefined ? undefined : Math.min(1, summary.pack_saves / storedBytes)
}
