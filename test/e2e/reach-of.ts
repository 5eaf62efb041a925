import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { lastSegmentBefore, parseLsn, segmentName } from '../../src/wal-segments/lsn.js'
import type { MadeBackup } from '../helpers/backup.js'
import { mb, type RealHistory, type Row } from './real-history.js'

/** What the files of a root allow for a backup, found without pgbk: by comparing them with the server's own WAL. */
export interface Reach {
  /** The last row that can be had, or the last two where a record between them decides. */
  rows: (Row | undefined)[]
  /** Bytes in the middle of a segment are wrong: that shows only to who reads it. */
  isDamaged: boolean
}

export function reachOf({ record }: MadeBackup, history: RealHistory): Reach {
  let isDamaged = false
  let limit = 0n
  for (let number = lastSegmentBefore(record.start_lsn, mb); ; number++) {
    const good = goodBytes(number, history)
    limit = number * BigInt(mb) + BigInt(good.bytes)
    isDamaged ||= good.isDamaged
    if (good.bytes < mb) break
  }
  const sure = history.rows.findLast(({ after }) => after <= limit)
  const perhaps = history.rows.find(({ before, after }) => before <= limit && limit < after)
  return { rows: perhaps ? [sure, perhaps] : [sure], isDamaged }
}

/** How much of a segment is there as the server had written it, in whichever archive. */
function goodBytes(number: bigint, history: RealHistory): { bytes: number; isDamaged: boolean } {
  const copies = [...history.switches.keys()].flatMap((timeline) => {
    const name = segmentName(timeline, number, mb)
    const truth = contentOf(history.all, name)
    const most = usedOf(number, timeline, history)
    if (!truth || most <= 0) return []
    const found = [...history.archives().values()].flatMap((archive) => contentOf(archive, name) ?? [])
    return found.map((copy) => ({ bytes: Math.min(most, sameBytes(copy, truth)), most }))
  })
  const bytes = Math.max(0, ...copies.map((copy) => copy.bytes))
  return { bytes, isDamaged: bytes < mb && copies.some((copy) => copy.bytes < copy.most) }
}

/** Up to where in a segment a timeline counts; 0 or less where it has not begun, or has ended before. */
function usedOf(number: bigint, timeline: number, { switches }: RealHistory): number {
  const start = number * BigInt(mb)
  if ((switches.get(timeline) ?? 0n) >= start + BigInt(mb)) return 0
  const end = switches.get(timeline + 1)
  return end === undefined ? mb : Math.min(mb, Number(end - start))
}

/** A file of another size than a segment's is no segment. */
function contentOf(directory: string, name: string): Buffer | undefined {
  const names = [name, `${name}.gz`, `${name}.partial`].filter((one) => existsSync(join(directory, one)))
  const contents = names.map((one) => {
    const content = readFileSync(join(directory, one))
    return one.endsWith('.gz') ? gunzipSync(content) : content
  })
  return contents.find((content) => content.length === mb)
}

function sameBytes(one: Buffer, other: Buffer): number {
  if (one.equals(other)) return one.length
  return one.findIndex((byte, index) => byte !== other[index])
}

/** All that lies in the archives, for whoever looks at a failure. */
export function filesOf(history: RealHistory): string[] {
  return [...history.archives()].flatMap(([id, archive]) =>
    readdirSync(archive)
      .filter((name) => !name.startsWith('.'))
      .map((name) => `${id} ${name}`),
  )
}

export const stopOf = ({ record }: MadeBackup) => parseLsn(record.stop_lsn)
