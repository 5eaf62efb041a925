import { existsSync, readdirSync } from 'node:fs'
import type { ArchivedWal } from '../backup/archived-wal.js'
import { parseLsn, segmentName, segmentNumber } from '../backup/lsn.js'
import { PgbkError } from '../errors.js'
import { runProgram } from '../program/run-program.js'
import { shellWord } from '../shell-word.js'
import type { CheckOptions } from './check-backup.js'
import { type Installation, programOf } from './find.js'
import { dumpWal, type SegmentDesk, withSegmentDesk } from './wal-dump.js'

export interface TablespaceSearch extends CheckOptions {
  wal: ArchivedWal
  /** What the backup itself replays ends here. */
  fromLsn: string
  /** Of the backup: pg_waldump reads the WAL of its own major only. */
  major: number
  installations: Installation[]
}

const bytesAtOnce = 256 * 1024 ** 2

/**
 * Replay makes a tablespace at the path that it had on the server, and writes to whatever is there: on the server's own machine
 * its live files.
 * @throws {PgbkError} `failed` when the WAL creates a tablespace at a path that is not there or not empty; `damaged`, naming the
 * segment, when one before the last cannot be read: replay would end there.
 */
export async function checkTablespacesInWal(search: TablespaceSearch): Promise<void> {
  const program = programOf(search.major, 'pg_waldump', search.installations)
  const { chain, segmentSize } = search.wal
  const from = segmentNumber(parseLsn(search.fromLsn), segmentSize)
  const first = chain.findIndex(({ segment }) => segment >= from)
  if (program === undefined || first === -1) return
  const step = Math.max(1, Math.floor(bytesAtOnce / segmentSize))
  await withSegmentDesk(program, search.wal, search, async (desk) => {
    for (let index = first; index < chain.length; index += step) {
      // One more: a record may begin in one step's last segment and end in the next step's first.
      const last = Math.min(index + step, chain.length - 1)
      for (const path of await createdIn(desk, index, last, search.fromLsn)) refuse(path)
      await desk.clear(index)
    }
  })
}

/** The paths of the tablespaces that are created in these segments; those in place have none. */
async function createdIn(desk: SegmentDesk, first: number, last: number, fromLsn: string): Promise<string[]> {
  // The end of the last one is looked at by whoever asks where the archive ends.
  await dumpWal(desk, first, Math.max(first, last - 1), { toItsEnd: last > first })
  const names = [first, last].map((index) =>
    segmentName(desk.timeline, desk.wal.chain[index]?.segment ?? 0n, desk.segmentSize),
  )
  // Where the last segment is unfinished it fails at the end of what there is: what it printed before counts.
  const { stdout } = await runProgram(desk.program, ['--path=.', '--rmgr=Tablespace', ...names], {
    ...desk.options,
    cwd: desk.directory,
  })
  return [...stdout.matchAll(/, lsn: (\S+), .* desc: CREATE \d+ "(.+)"$/gm)]
    .filter(([, lsn = '']) => parseLsn(lsn) >= parseLsn(fromLsn))
    .map(([, , path = '']) => path)
}

function refuse(path: string): void {
  const isThere = existsSync(path)
  if (isThere && readdirSync(path).length === 0) return
  const state = isThere ? 'is in use on this machine' : 'is not there on this machine'
  throw new PgbkError('failed', `the WAL to be replayed creates a tablespace in ${path}, which ${state}`, {
    hint: isThere
      ? 'Replay would write into those files, on the server itself into its own. Make a new backup, which has that tablespace in it, and restore that one; or restore this one on another machine.'
      : `Replay makes tablespaces only where they were. If it may write there, make an empty directory for it:  install -d -m 700 -o postgres ${shellWord(path)}`,
  })
}
