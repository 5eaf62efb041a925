import { v } from '../schema.js'
import { count } from './record-fields.js'

/** A user's or group's number. */
const owner = v.pipe(count, v.maxValue(0xffff_fffe))

/** What the record says of the image of a packed backup; a plain one has no such entry. */
export const packedEntry = v.optional(
  v.object({
    /** Of the image. */
    bytes: count,
    sha256: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'is not a SHA-256')),
    /** What the snapshot takes as a plain directory. */
    snapshot_bytes: count,
    /** To whom the files in the image belong. */
    uid: owner,
    gid: owner,
  }),
)

export type PackedFacts = NonNullable<v.InferOutput<typeof packedEntry>>

/** A record is of the packed format exactly when it tells of an image. */
export function formOf<T extends { format: 1 | 2; packed?: PackedFacts | undefined }>() {
  return v.check<T, string>(
    ({ format, packed }) => (format === 2) === (packed !== undefined),
    'its format and the entry packed contradict each other',
  )
}
