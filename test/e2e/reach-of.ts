import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { lastSegmentBefore, parseLsn, segmentName } from '../../src/backup/lsn.js'
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
  let bytes = 0
  let isDamaged = false
  for (const [timeline, begin] of history.switches) {
    const end = history.switches.get(timeline + 1)
    const [from, to] = [begin, end].map((at) => (at === undefined ? undefined : at - number * BigInt(mb)))
    if ((from ?? 0n) >= mb || (to !== undefined && to <= 0n)) continue
    const name = segmentName(timeline, number, mb)
    const truth = contentOf(history.all, name)
    if (!truth) continue
    for (const archive of history.archives().values()) {
      const copy = contentOf(archive, name)
      if (!copy) continue
      const same = sameBytes(copy, truth)
      isDamaged ||= same < mb && copy.length === mb
      bytes = Math.max(bytes, Math.min(same, Number(to ?? BigInt(mb))))
    }
  }
  return { bytes, isDamaged: isDamaged && bytes < mb }
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
