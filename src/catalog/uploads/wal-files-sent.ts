import type { Context } from '../../context.js'
import { messageOf, systemCode } from '../../errors.js'
import { appendTo, replaceDurably } from '../../system/files/durable.js'
import { mostBytes, readSmallText } from '../../system/files/read-small.js'
import type { RootLayout } from '../layout.js'

/** The WAL of one backup that a store got where nobody may look: bytes by names below the backup's prefix. */
type SentFiles = Map<string, number>

/**
 * What a store got of WAL, as it is noted here, for credentials that may only write: nobody can look. What is not noted is sent again, so
 * that the note may be removed.
 */
export interface WalFilesSent {
  of(backup: string): ReadonlyMap<string, number>
  add(backup: string, name: string, bytes: number): Promise<void>
  /** Forgets those of all other backups. */
  keepOnly(backups: readonly string[]): Promise<void>
}

/** .wal-sent-<store>: a line for each file. One that cannot be read, or written, is none. */
export function walFilesSent(
  root: RootLayout,
  store: string,
  { progress }: Pick<Context, 'progress'>,
): WalFilesSent {
  const path = root.walFilesSent(store)
  const sent = readAll(path, progress)
  const unlessClosed = (work: Promise<void>) =>
    work.catch((error) => progress.detail(`cannot write ${path}: ${messageOf(error)}`))
  return {
    of: (backup) => sent.get(backup) ?? new Map(),
    async add(backup, name, bytes) {
      remember(sent, backup, name, bytes)
      await unlessClosed(appendTo(path, lineOf(backup, name, bytes)))
    },
    async keepOnly(backups) {
      const others = [...sent.keys()].filter((backup) => !backups.includes(backup))
      if (others.length === 0) return
      for (const backup of others) sent.delete(backup)
      const lines = [...sent].flatMap(([backup, files]) =>
        [...files].map(([name, bytes]) => lineOf(backup, name, bytes)),
      )
      await unlessClosed(replaceDurably(path, lines.join('')))
    },
  }
}

function lineOf(backup: string, name: string, bytes: number): string {
  return `${backup} ${name} ${bytes}\n`
}

function remember(sent: Map<string, SentFiles>, backup: string, name: string, bytes: number): void {
  const files = sent.get(backup) ?? new Map()
  sent.set(backup, files.set(name, bytes))
}

function readAll(path: string, progress: Context['progress']): Map<string, SentFiles> {
  const sent = new Map<string, SentFiles>()
  for (const line of textOf(path, progress).split('\n')) {
    const [, backup, name, bytes] = /^(\d{8}T\d{6}Z) (wal\/[\w.]+) (\d+)$/.exec(line) ?? []
    if (backup && name) remember(sent, backup, name, Number(bytes))
  }
  return sent
}

function textOf(path: string, progress: Context['progress']): string {
  try {
    return readSmallText(path, mostBytes.segmentNotes)
  } catch (error) {
    if (systemCode(error) !== 'ENOENT')
      progress.detail(`cannot read ${path}: ${messageOf(error)}; what it notes is sent again`)
    return ''
  }
}
