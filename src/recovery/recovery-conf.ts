import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { restoreCommand } from '../snapshot/conf/conf.js'
import { readConfFile } from '../snapshot/conf/conf-file.js'
import { parseConf } from '../snapshot/conf/conf-text.js'
import { minimumsAmong, minimumText } from '../snapshot/conf/minimums.js'
import { shellWord } from '../text/shell-word.js'
import type { ArchivedWal } from '../wal-archive/archived-wal.js'
import { segmentName } from '../wal-segments/lsn.js'
import { filesOf } from '../wal-segments/segment-forms.js'

/** A WAL archive, and the part of a chain that is in it. */
interface ArchivePart {
  /** Absolute. */
  directory: string
  /** The number of the first segment that is taken from it; it counts up to the next part's. */
  from: bigint
}

export interface RecoveryInput {
  /** The archives through which the WAL leads, the backup's own first. */
  archives: ArchivePart[]
  timeline: number
  /** The record at which it is to end, by its start, and whether that is replayed too. */
  stop: { lsn: string; inclusive: boolean }
  /** The number of the last segment that is needed; later ones are not looked at. */
  lastSegment: bigint
  /** Files in these archives that are damaged, and another form of the same segment is not. */
  damaged?: string[] | undefined
  /** Bytes. */
  segmentSize: number
  /** Settings that the WAL demands, by name, where the copy's configuration has less. */
  minimums: Readonly<Record<string, number>>
  action: 'promote' | 'pause'
  /** What unpacks zstd on this machine, where it is not the program of this name; undefined also where nothing does. */
  unpackZstd?: string | undefined
}

/**
 * The settings, by name, with which a server replays a WAL archive to a target; they count with a recovery.signal.
 * @param linked links to segments are in its pg_wal: for a server that has its archives as long as it lives.
 */
export function recoverySettings(
  input: RecoveryInput,
  { linked = false }: { linked?: boolean } = {},
): Readonly<Record<string, string>> {
  const minimums = Object.entries(input.minimums).map(([name, value]) => [name, minimumText(name, value)])
  const digitsOf = (number: bigint) => segmentName(input.timeline, number, input.segmentSize).slice(8)
  const [own, ...further] = input.archives.map(({ directory, from }) => ({
    directory: word(directory),
    from,
  }))
  return {
    restore_command: restoreCommand(own?.directory ?? '', {
      segmentSize: input.segmentSize,
      linked,
      partial: true,
      lastSegment: digitsOf(input.lastSegment),
      damaged: input.damaged ?? [],
      unpackZstd: input.unpackZstd?.replaceAll('%', '%%'),
      further: further.map(({ directory, from }) => ({ directory, after: digitsOf(from - 1n) })),
    }),
    recovery_target_lsn: input.stop.lsn,
    recovery_target_inclusive: input.stop.inclusive ? 'on' : 'off',
    recovery_target_timeline: String(input.timeline),
    recovery_target_action: input.action,
    hot_standby: 'on',
    ...Object.fromEntries(minimums),
  }
}

/** A directory of any name: PostgreSQL replaces %f and %p in the command, and %% by a single one. */
function word(directory: string): string {
  return shellWord(directory).replaceAll('%', '%%')
}

/** The parts of a chain up to a segment. */
export function archiveParts(
  { directory, runs }: Pick<ArchivedWal, 'directory' | 'runs'>,
  lastSegment: bigint,
): ArchivePart[] {
  const parts: ArchivePart[] = [{ directory, from: 0n }]
  for (const { archive, from } of runs)
    if (from.segment <= lastSegment && parts.at(-1)?.directory !== archive.directory)
      parts.push({ directory: archive.directory, from: from.segment })
  return parts
}

/** The files in the archives of a chain that come before the form of a segment that is in it, and are no use. */
export function damagedForms({ replaced, chain }: Pick<ArchivedWal, 'replaced' | 'chain'>): string[] {
  return chain.flatMap(({ directory, name, file, form }) => {
    const isDamaged = (one: string) => {
      const path = join(directory, one)
      // A receiver may just have finished an unfinished one.
      return form === 'partial' ? replaced?.has(path) === true : existsSync(path)
    }
    const files = form === 'raw' ? [] : filesOf(name)
    return files.slice(0, files.indexOf(file)).filter(isDamaged)
  })
}

/**
 * The `recoveryMinimums` in the configuration of a snapshot: the values that its server ran with. @throws {PgbkError} `damaged` when
 * there is something else in its place; a system error.
 */
export function minimumsIn(confDirectory: string): Record<string, number> {
  const text = readConfFile(join(confDirectory, 'postgresql.conf'), confDirectory).toString('latin1')
  return minimumsAmong(parseConf(text).map(({ name = '', value }) => [name, value]))
}
