import { join } from 'node:path'

/** Where everything lies under a root; see docs/format.md. */
export function rootLayout(root: string) {
  const data = join(root, 'data')
  const backups = join(data, 'backup')
  return {
    root,
    data,
    backups,
    /** Working copies of runs. */
    runs: join(data, 'run'),
    /** Lasting servers. */
    instances: join(data, 'instances'),
    /** Which data directories elsewhere need a backup of this root. */
    restores: join(data, 'restores'),
    gitignore: join(data, '.gitignore'),
    /** Held by a create for as long as it runs. */
    createLock: join(backups, '.create.lock'),
    /** Held while the form of a backup is changed; the last step of that is under the two others as well. */
    packLock: join(backups, '.pack.lock'),
    /** Held for moments, while the set of backups changes. */
    catalogLock: join(backups, '.catalog.lock'),
    /** Held by a WAL receiver for as long as it runs. */
    walLock: join(backups, '.wal.lock'),
    /** What the receiver says about itself, every few seconds. */
    receiverState: join(backups, '.receive.json'),
    /** How the last create ended. */
    lastCreate: join(backups, '.last-create.json'),
    /** How much of the WAL each store has. */
    walStores: join(backups, '.wal-stores.json'),
    /** Which WAL a store got where nobody may look. */
    walFilesSent: (store: string) => join(backups, `.wal-sent-${store}`),
    /** How the uploads to each store have gone. */
    uploads: join(backups, '.uploads.json'),
    /** That a create has warned of a disk which root and server share. */
    sharedDisk: join(backups, '.same-disk.json'),
    backup: (id: string) => join(backups, id),
    partial: (id: string) => join(backups, `.${id}.partial`),
    download: (id: string) => join(backups, `.${id}.download`),
    upload: (id: string) => join(backups, `.${id}.upload`),
  }
}

/** What lies where in one backup directory, whatever its snapshot lies in. */
export function backupFiles(directory: string) {
  return {
    directory,
    record: join(directory, 'backup.json'),
    /** Its newest proof, once there is one. */
    proof: join(directory, 'proof.json'),
    /** Is there while the backup must not be removed. */
    hold: join(directory, 'hold.json'),
    /** Marks a directory that may be thrown away: a create or a delete in progress, or its remains. */
    marker: join(directory, '.pgbk-partial.json'),
    /** Marks a download in progress, which is kept until it is complete. */
    downloadMarker: join(directory, '.pgbk-download.json'),
    /** Held by the download that works here. */
    downloadLock: join(directory, '.pgbk-download.lock'),
    /** Marks what an upload in progress has made; it is kept until all of it was sent. */
    uploadMarker: join(directory, '.pgbk-upload.json'),
    /** Held by the upload that works here. */
    uploadLock: join(directory, '.pgbk-upload.lock'),
    /** Is there while its form is changed. */
    formMarker: join(directory, '.pgbk-form.json'),
    wal: join(directory, 'wal'),
    /** The snapshot of a packed one, and what a person has to know of it. */
    image: join(directory, 'snapshot.squashfs'),
    imageReadme: join(directory, 'README'),
  }
}

/** What lies where in a snapshot. */
export function snapshotLayout(snapshot: string) {
  const conf = join(snapshot, 'conf')
  const data = join(snapshot, 'data')
  return {
    snapshot,
    readme: join(snapshot, 'README'),
    conf,
    originalConf: join(conf, 'original'),
    data,
    pgWal: join(data, 'pg_wal'),
    tablespaceLinks: join(data, 'pg_tblspc'),
    tablespaces: join(snapshot, 'tablespaces'),
  }
}

/** What lies where in a backup directory whose snapshot is a directory: a plain one, and one in the making. */
export function backupLayout(directory: string): BackupLayout {
  return { ...backupFiles(directory), ...snapshotLayout(join(directory, 'snapshot')) }
}

/** What lies where in the directory of one run. */
export function runLayout(directory: string) {
  const snapshot = join(directory, 'snapshot')
  return {
    directory,
    /** Marks a directory that goes when its run is over. */
    marker: join(directory, '.pgbk-run.json'),
    /** Where the server is started, as in a backup. */
    snapshot,
    data: join(snapshot, 'data'),
    /** The server's configuration, which pgbk has written for this run. */
    conf: join(directory, 'conf'),
    /** Links to the segments that it replays. */
    walLinks: join(directory, 'conf/wal'),
    /** The backup's snapshot, the lower layer of an overlay: a link to it, or where its image is mounted. */
    lower: join(directory, 'lower'),
    /** Leads to the image of a packed one. */
    image: join(directory, 'image'),
    upper: join(directory, 'upper'),
    work: join(directory, 'work'),
    /** Where the tree of a file server is mounted, and what it keeps of what is written. */
    files: join(directory, 'files'),
    store: join(directory, 'store'),
    /** Leads to the backup's WAL archive: restore_command looks for it beside the snapshot. */
    wal: join(directory, 'wal'),
    log: join(directory, 'log'),
    /** Leads to the root of a borrowed backup, which goes with the run. */
    borrowed: join(directory, 'borrowed'),
    /** Where the file system of the sandbox is built. */
    sandbox: join(directory, 'sandbox'),
  }
}

/** What lies where in the root of a borrowed backup, beside what every root has. */
export function borrowedLayout(root: string) {
  return {
    root,
    /** Marks a root that goes when nobody needs it any more. */
    marker: join(root, '.pgbk-borrowed.json'),
    /** What the process that fetches the image says. */
    fetched: join(root, 'fetched.json'),
  }
}

/** What lies where in the directory of one instance. */
export function instanceLayout(directory: string) {
  const conf = join(directory, 'conf')
  const data = join(directory, 'data')
  const log = join(directory, 'log')
  return {
    directory,
    /** Marks a directory that may be thrown away: a restore or a delete in progress, or its remains. */
    marker: join(directory, '.pgbk-restore.json'),
    record: join(directory, 'instance.json'),
    readme: join(directory, 'README'),
    conf,
    postgresqlConf: join(conf, 'postgresql.conf'),
    /** How the WAL archive is replayed; it goes when that is done. */
    recoveryConf: join(conf, 'recovery.conf'),
    hba: join(conf, 'pg_hba.conf'),
    data,
    tablespaces: join(directory, 'tablespaces'),
    /** What it replays at first, where that cannot stay in an archive of the root. */
    wal: join(directory, 'wal'),
    /** Its socket's. */
    sockets: join(directory, 'run'),
    logs: log,
    log: join(log, 'postgresql.log'),
  }
}

export type InstanceLayout = ReturnType<typeof instanceLayout>
export type RunLayout = ReturnType<typeof runLayout>
export type RootLayout = ReturnType<typeof rootLayout>
export type BackupFiles = ReturnType<typeof backupFiles>
export type SnapshotLayout = ReturnType<typeof snapshotLayout>
export type BackupLayout = BackupFiles & SnapshotLayout
