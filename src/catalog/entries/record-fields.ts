import { v } from '../../schema.js'
import { isPlainName } from '../../system/paths/inside.js'

/** The kinds of values in a record. Each has bounds, and is checked against them before anything is done with it. */

/** Longer than whatever a server says of itself. */
export const text = v.pipe(v.string(), v.maxLength(10_000, 'is too long'))
export const optionalText = v.nullable(text)

/** Bytes, each as two digits. */
export const hex = v.pipe(text, v.regex(/^([0-9a-f]{2})+$/, 'is not a list of bytes'))

export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))

/** As many as a server has of anything. */
const mostItems = 1_000_000
export const arrayOf = <T extends v.GenericSchema>(item: T) =>
  v.pipe(v.array(item), v.maxLength(mostItems, 'has too many items'))

/** A real date between the years 2000 and 9999, UTC, and its time of day. */
export const isoTime = v.pipe(
  text,
  v.isoTimestamp(),
  v.check((value) => isRealTime(value), 'is not a time between the years 2000 and 9999'),
)

/** Nearly all: no month is shorter. */
const plainTime =
  /^[2-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?Z$/

function isRealTime(value: string): boolean {
  if (plainTime.test(value)) return true
  const [, day = ''] = /^([2-9]\d{3}-\d\d-\d\d)/.exec(value) ?? []
  // Date.parse takes the 30th of February for the 2nd of March.
  const midnight = Date.parse(`${day}T00:00:00Z`)
  return (
    !Number.isNaN(Date.parse(value)) &&
    !Number.isNaN(midnight) &&
    new Date(midnight).toISOString().startsWith(day)
  )
}

export const lsn = v.pipe(text, v.regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/, 'is not an LSN'))

/** Both are of 32 bits, and never 0. */
export const timeline = v.pipe(count, v.minValue(1), v.maxValue(0xffff_ffff))
export const oid = v.pipe(count, v.minValue(1), v.maxValue(0xffff_ffff))

/** A power of two from 1 MB to 1 GB (IsValidWalSegSize in src/include/access/xlog_internal.h). */
export const segmentSize = v.pipe(
  count,
  v.check(
    (value) => value >= 1 << 20 && value <= 1 << 30 && (value & (value - 1)) === 0,
    'is not a size of WAL segments',
  ),
)

/** The name of a file below a directory, which leads nowhere else. */
export const plainName = v.pipe(text, v.check(isPlainName, 'is not the name of a file inside the backup'))

/** A user's or group's number. */
const owner = v.pipe(count, v.maxValue(0xffff_fffe))

export const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'is not a SHA-256'))

/** What the record says of the image of a packed backup; a plain one has no such entry. */
export const packedEntry = v.optional(
  v.object({
    /** Of the image. */
    bytes: count,
    sha256,
    /** What the snapshot takes as a plain directory. */
    snapshot_bytes: count,
    /** To whom the files in the image belong. */
    uid: owner,
    gid: owner,
  }),
)

export type PackedFacts = NonNullable<v.InferOutput<typeof packedEntry>>

/** Of a standby that was backed up: how well it knew, at the end, what its primary had. */
export const standbyEntry = v.optional(
  v.object({
    /**
     * What `copied_at` is: the last commit that the snapshot has; the primary's last word to a standby that had replayed all of it; or,
     * where no commit is known, the last checkpoint.
     */
    known_by: v.picklist(['last-commit', 'caught-up', 'last-checkpoint']),
    /** WAL came to it by streaming. */
    is_receiving: v.boolean(),
    is_paused: v.boolean(),
    apply_delay_ms: count,
    /** The archive has commits from the first moment on that the snapshot has not: what the standby had received, and not replayed. */
    has_more_wal: v.boolean(),
  }),
)
