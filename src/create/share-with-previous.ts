import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { type LocalBackup, plainSnapshotOf } from '../catalog/backup.js'
import type { Catalog } from '../catalog/catalog.js'
import { claimedCluster, clusterOf } from '../catalog/check-cluster.js'
import type { BackupLayout } from '../catalog/layout.js'
import type { BackupRecord } from '../catalog/record.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { messageOf, systemCode } from '../errors.js'
import { syncTree } from '../system/files/durable.js'
import { inParallel } from '../system/files/in-parallel.js'
import { canShare, shareBuffers, shareFile } from '../system/files/share-file.js'
import { syncFileSystem } from '../system/files/sync-file-system.js'
import { treeEntries } from '../system/files/walk-tree.js'
import { type BytePath, bytePath, joinBytes } from '../system/paths/byte-path.js'
import { runProgram } from '../system/program/run-program.js'

/** The backup that a new one can share blocks with, or why the new one is to stand alone. */
export type Base = { backup: LocalBackup } | { none: string }

/** What of the configuration says whether blocks are shared. */
export type ShareSettings = Pick<Settings['create'], 'thin' | 'independent_every'>

interface ShareJob {
  catalog: Catalog
  /** Its system identifier. */
  cluster: string
  /** Of the new backup. */
  directory: string
  /** The user wants one. */
  independent: boolean
}

/**
 * The newest whole backup of the same cluster, where both directories are on one file system with reflinks. Every so often there is
 * none on purpose: one bad sector hits all backups that share it.
 */
export function baseFor(
  { catalog, cluster, directory, independent }: ShareJob,
  { thin, independent_every }: ShareSettings,
): Base {
  if (thin === 'off') return { none: 'create.thin is off' }
  const backups = catalog.backups.filter(
    (backup) => backup.form === 'plain' && backup.state === 'whole' && claimedCluster(backup) === cluster,
  )
  // The rest of a record is checked for the one that is taken alone.
  const newest = backups.find((backup) => clusterOf(backup) === cluster)
  if (!newest) return { none: 'it is the first one' }
  try {
    if (!canShare(join(plainSnapshotOf(newest).data, 'PG_VERSION'), directory))
      return { none: 'the file system has no reflinks' }
  } catch (error) {
    return { none: `${newest.id} cannot be read: ${messageOf(error)}` }
  }
  if (independent) return { none: 'it was asked for' }
  const sharing = backups.findIndex(({ summary }) => !summary.shared)
  const inARow = sharing === -1 ? backups.length : sharing
  if (inARow + 1 >= independent_every) return { none: `each ${independent_every}th stands alone` }
  return { backup: newest }
}

/** XFS_SUPER_MAGIC (linux/magic.h). */
const xfs = 0x58465342

/**
 * XFS gives every small write into a clone 128 kB, and takes the rest back much later: what is made in this directory gets 8 kB
 * instead (xfs_io(8), cowextsize). Without the program a backup takes more for a while.
 */
export async function prepareToShare(
  directory: string,
  { thin }: ShareSettings,
  { env, signal, progress }: Context,
): Promise<void> {
  if (thin === 'off' || (await statfs(directory)).type !== xfs) return
  const { status, stderr } = await runProgram('sh', ['-c', setExtentSize, 'sh', directory], { env, signal })
  if (status !== 0) progress.detail(`cannot set the copy-on-write extent size: ${stderr.trim()}`)
}

/** cron's PATH has no directories of the administrator's. */
const setExtentSize = `PATH=$PATH:/usr/sbin:/sbin; exec xfs_io -c 'cowextsize 8192' "$1"`

const atOnce = 2

/**
 * Lets the copied files share the blocks that they have in common with those of an earlier backup: both are read and compared, so
 * that nothing that has rotted there comes here. What cannot be shared stays as it was copied, and the reason is told.
 * @returns what the record says of it; undefined where nothing is shared.
 */
export async function shareWith(
  base: LocalBackup,
  layout: BackupLayout,
  { signal, progress }: Context,
): Promise<BackupRecord['shared']> {
  const [older, newer] = [plainSnapshotOf(base).snapshot, layout.snapshot].map((path) => bytePath(path))
  if (older === undefined || newer === undefined) return undefined
  progress.step(`comparing with ${base.id}`)
  const idle = Array.from({ length: atOnce }, shareBuffers)
  let bytes = 0
  try {
    await inParallel(filesBelow(newer), atOnce, async (name) => {
      signal.throwIfAborted()
      const buffers = idle.pop() ?? shareBuffers()
      const shared = await shareFile(joinBytes(older, name), joinBytes(newer, name), buffers)
      bytes += shared
      idle.push(buffers)
    })
  } catch (error) {
    signal.throwIfAborted()
    if (systemCode(error) === undefined) throw error
    progress.warn(`not everything that ${base.id} has too is shared with it: ${messageOf(error)}`)
  }
  if (bytes === 0) return undefined
  // pg_basebackup has flushed what was there before.
  if (!(await syncFileSystem(layout.snapshot))) await syncTree(layout.snapshot)
  const before = base.summary.shared
  return { with: [base.id, ...(before?.with ?? [])], bytes }
}

/**
 * What may have stayed as it was: no WAL. The names of one directory are read before its files are replaced: a replaced one may
 * show up again (Btrfs).
 */
function* filesBelow(snapshot: BytePath): Generator<BytePath> {
  const directories = ['' as BytePath]
  for (let below = directories.pop(); below !== undefined; below = directories.pop()) {
    const here = [...treeEntries(joinBytes(snapshot, below), { enters: () => false })]
    for (const { name, kind } of here) {
      const path = joinBytes(below, name)
      if (kind.isDirectory() && path !== 'data/pg_wal') directories.push(path)
      else if (kind.isFile()) yield path
    }
  }
}
