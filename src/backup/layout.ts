import { join } from 'node:path'

/** Where everything lies under a root; see docs/format.md. */
export function rootLayout(root: string) {
  const data = join(root, 'data')
  const backups = join(data, 'backup')
  return {
    root,
    data,
    backups,
    gitignore: join(data, '.gitignore'),
    /** Held by a create for as long as it runs. */
    createLock: join(backups, '.create.lock'),
    /** Held for moments, while the set of backups changes. */
    catalogLock: join(backups, '.catalog.lock'),
    backup: (id: string) => join(backups, id),
    partial: (id: string) => join(backups, `.${id}.partial`),
  }
}

/** What lies where in one backup directory. */
export function backupLayout(directory: string) {
  const snapshot = join(directory, 'snapshot')
  const conf = join(snapshot, 'conf')
  const data = join(snapshot, 'data')
  return {
    directory,
    record: join(directory, 'backup.json'),
    /** Marks a directory that may be thrown away: a create or a delete in progress, or its remains. */
    marker: join(directory, '.pgbk-partial.json'),
    snapshot,
    readme: join(snapshot, 'README'),
    conf,
    originalConf: join(conf, 'original'),
    data,
    pgWal: join(data, 'pg_wal'),
    tablespaceLinks: join(data, 'pg_tblspc'),
    tablespaces: join(snapshot, 'tablespaces'),
    wal: join(directory, 'wal'),
  }
}

export type RootLayout = ReturnType<typeof rootLayout>
export type BackupLayout = ReturnType<typeof backupLayout>
