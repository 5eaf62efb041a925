import { constants, existsSync, lstatSync } from 'node:fs'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type ReadableBackup, recordOf, snapshotOf } from '../../catalog/backup.js'
import type { SnapshotLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { PgbkError, systemCode, systemFailure } from '../../errors.js'
import { copyOneFile } from '../../system/files/copy-file.js'
import { copyInBulk } from '../../system/files/copy-in-bulk.js'
import { copyTree } from '../../system/files/copy-tree.js'
import { syncPath } from '../../system/files/durable.js'
import { kindOf } from '../../system/files/read-small.js'
import type { TreeEntry } from '../../system/files/walk-tree.js'
import { withFilesOf } from './unpack-beside.js'

/** Where the parts of a restored cluster go: directories that are there and empty. */
interface ClusterPlaces {
  data: string
  /** Those outside of the data directory. */
  tablespaces: readonly TablespacePlace[]
  /** The backup's files are moved there: nobody needs it afterwards. */
  move?: boolean
}

export interface TablespacePlace {
  oid: number
  directory: string
  /** What the link in pg_tblspc says, an absolute path: another one when the whole is renamed at the end. */
  target: string
}

/** How files get there: as reflinks, which take no room and no time, or copied. */
type CopyMethod = 'reflink' | 'copy'

/** Whether the file systems of backup and destination can share blocks. Writes one small file, and removes it. */
export async function copyMethodFor(backup: ReadableBackup, destination: string): Promise<CopyMethod> {
  const probe = await mkdtemp(join(destination, '.pgbk-probe-'))
  try {
    const mode = constants.COPYFILE_FICLONE_FORCE
    await copyOneFile(join(snapshotOf(backup).data, 'PG_VERSION'), join(probe, 'file'), mode)
    return 'reflink'
  } catch (error) {
    if (noReflink.has(systemCode(error) ?? '')) return 'copy'
    throw error
  } finally {
    await rm(probe, { recursive: true })
  }
}

const noReflink = new Set(['EXDEV', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'ENOTTY'])

/** What a server reads or looks for in its data directory, beside its configuration; no manifest lists them, and every restore has its own. */
const overrides = ['postgresql.auto.conf', 'recovery.signal', 'standby.signal']

const leftOut: ReadonlySet<string> = new Set(['global/pg_control', ...overrides])

/**
 * Copies a backup's cluster, flushed to disk, without pg_control: what is there after it cannot be started. Tablespace links
 * are absolute here, because a server with relative ones cannot be backed up. The topmost directories stay whose they are.
 * @throws {PgbkError} `disk-full`, or `failed` with the system's reason; the signal's reason when aborted.
 */
export async function copyCluster(
  backup: ReadableBackup,
  places: ClusterPlaces,
  context: Context,
): Promise<void> {
  try {
    await withFilesOf(backup, places, context, (files, areOwn) =>
      copyFiles(files, { ...places, move: areOwn || (places.move ?? false) }, context),
    )
  } catch (cause) {
    context.signal.throwIfAborted()
    throw cause instanceof PgbkError ? cause : copyFailed(cause)
  }
}

async function copyFiles(
  backup: ReadableBackup,
  places: ClusterPlaces,
  { signal, progress }: Context,
): Promise<void> {
  const layout = snapshotOf(backup)
  checkNoWayOut(layout, places.tablespaces)
  let done = 0
  const options = {
    mode: constants.COPYFILE_FICLONE,
    move: places.move ?? false,
    signal,
    keepTop: true,
    durable: true,
    // pg_basebackup makes no links but those of tablespaces; through others something else could be written to later.
    leaveOut: ({ kind }: TreeEntry) => kind.isSymbolicLink(),
    onFile: (bytes: number) => {
      done += bytes
      progress.bytes(done, backup.logicalBytes)
    },
  }
  progress.step('copying')
  const finished = await copyDatabases(backup, places, signal)
  const outside = places.tablespaces.map(({ oid }) => `pg_tblspc/${oid}`)
  const others = new Set<string>([...leftOut, ...outside, ...finished])
  const leaveOut = (entry: TreeEntry) => others.has(entry.name) || options.leaveOut(entry)
  await copyTree(layout.data, places.data, { ...options, leaveOut })
  const links = join(places.data, 'pg_tblspc')
  for (const { oid, directory, target } of places.tablespaces) {
    await copyTree(join(layout.tablespaces, String(oid)), directory, options)
    await symlink(target, join(links, String(oid)))
  }
  await syncPath(links)
}

/** What is copied, or moved, is what is below these: a link would lead to files of others. @throws {PgbkError} `damaged`. */
function checkNoWayOut({ data, tablespaces }: SnapshotLayout, places: readonly TablespacePlace[]): void {
  const own = places.map(({ oid }) => join(tablespaces, String(oid)))
  for (const directory of [data, ...(own.length > 0 ? [tablespaces, ...own] : [])]) {
    const found = lstatSync(directory)
    if (!found.isDirectory())
      throw new PgbkError('damaged', `${directory} is ${kindOf(found)}, and not a directory`, {
        hint: 'Use another backup (pgbk list).',
      })
  }
}

/** Files of more bytes, on average, are copied several at a time, and with progress. */
const smallFiles = 128 << 10

/** Copies what has nearly all files of a cluster, where these are small. @returns the directories that are done. */
async function copyDatabases(
  backup: ReadableBackup,
  { data, move }: ClusterPlaces,
  signal: AbortSignal,
): Promise<string[]> {
  const record = recordOf(backup)
  const [from, to] = [join(snapshotOf(backup).data, 'base'), join(data, 'base')]
  // A tablespace may have been given a place in it.
  if (move || existsSync(to) || backup.logicalBytes > smallFiles * record.file_count) return []
  return (await copyInBulk(from, to, signal)) ? ['base'] : []
}

/** The last file: from now on the cluster can be started. */
export async function copyControlFile(backup: ReadableBackup, data: string): Promise<void> {
  const target = controlFile(data)
  try {
    await copyOneFile(controlFile(snapshotOf(backup).data), target, 0)
    await syncPath(target)
    await syncPath(dirname(target))
  } catch (cause) {
    throw copyFailed(cause)
  }
}

export function copyFailed(cause: unknown): PgbkError {
  return systemFailure('cannot restore', cause)
}

function controlFile(data: string): string {
  return join(data, 'global', 'pg_control')
}
