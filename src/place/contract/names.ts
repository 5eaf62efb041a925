import { posix } from 'node:path'
import { type BytePath, bytePath, shownPath } from '../../system/paths/byte-path.js'

/** Names of files in a backup's directory, relative to it. */

const kept = new Set(['backup.json', 'hold.json', 'proof.json'])

/**
 * What is not part of a backup: its locks and markers, that it is held there, and that it was proven there, which says nothing of here;
 * and the record, which goes its own way.
 */
export function isLeftOut(name: string): boolean {
  const base = posix.basename(name)
  return kept.has(name) || /^\.pgbk-/.test(base) || /^\..*\.lock$/.test(base)
}

const walName = /^(?:wal|snapshot\/data\/pg_wal)\/([^/]+)$/

/** The file of the WAL archive, or of the snapshot's own WAL, that a name means. */
export function walFileOf(name: string): string | undefined {
  return walName.exec(name)?.[1]
}

/** Where the link of a tablespace is, and which one's. */
export function tablespaceOf(link: string): string | undefined {
  return /^snapshot\/data\/pg_tblspc\/(\d+)$/.exec(link)?.[1]
}

export const manifestName = bytePath('snapshot/data/backup_manifest')

/** The one large file of a packed backup. */
export const imageName = bytePath('snapshot.squashfs')

/** Where a file of the manifest lies in the backup's directory, without going through a link. */
export function nameInBackup(manifestPath: BytePath, linkedTablespaces: ReadonlySet<string>): BytePath {
  const [, oid = '', rest = ''] = /^pg_tblspc\/(\d+)\/(.+)$/.exec(manifestPath) ?? []
  return (
    linkedTablespaces.has(oid) ? `snapshot/tablespaces/${oid}/${rest}` : `snapshot/data/${manifestPath}`
  ) as BytePath
}

/** The oids of the tablespaces that links lead to. */
export function linkedTablespacesIn({ links }: { links: BytePath[] }): Set<string> {
  return new Set(links.flatMap((link) => tablespaceOf(link) ?? []))
}

/** The first names, and how many more there are. */
export function someOf(names: BytePath[]): string {
  return `${names.slice(0, 3).map(shownPath).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''}`
}
