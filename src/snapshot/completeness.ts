import { existsSync, lstatSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { type BackupState, type ReadableBackup, snapshotOf } from '../catalog/backup.js'
import type { SnapshotLayout } from '../catalog/layout.js'
import { PgbkError, systemCode } from '../errors.js'
import { kindOf } from '../system/files/read-small.js'
import { type BytePath, bytePath, joinBytes, shownPath, systemPath } from '../system/paths/byte-path.js'
import { missingDirectories } from './data-directories.js'
import { hasAllFiles } from './has-all-files.js'
import { exemptFromManifest, type ManifestFile, visitManifest } from './manifest/manifest.js'

const mostNamed = 5

/**
 * Compares names and sizes with the manifest, without reading a file: a copy made by other tools may be half there although
 * its record came across.
 * @throws {PgbkError} `damaged`, naming the first files that are missing or have another size; the signal's reason when aborted.
 */
export async function checkComplete(
  backup: Pick<ReadableBackup, 'id' | 'state' | 'snapshot'>,
  signal?: AbortSignal,
): Promise<void> {
  const layout = snapshotOf(backup)
  const manifest = join(layout.data, 'backup_manifest')
  if (!lstatSync(manifest, { throwIfNoEntry: false }))
    throw damaged(backup.id, ['data/backup_manifest is missing'])
  const isWhole = backup.state === 'whole' && (await hasAllFiles(layout, signal))
  const faults = isWhole ? [] : await faultsOf(layout, backup.state, signal)
  for (const directory of missingDirectories(layout.data)) faults.push(`data/${directory} is missing`)
  for (const needed of ['conf/postgresql.conf', 'conf/pg_hba.conf']) {
    if (!existsSync(join(layout.snapshot, needed))) faults.push(`${needed} is missing`)
  }
  if (faults.length > 0) throw damaged(backup.id, faults.slice(0, mostNamed))
}

/** Looks at each file by itself. */
async function faultsOf(layout: SnapshotLayout, state: BackupState, signal?: AbortSignal): Promise<string[]> {
  const faults: string[] = []
  const parents = parentCheck(layout)
  const data = bytePath(layout.data)
  await visitManifest(join(layout.data, 'backup_manifest'), (file) => {
    signal?.throwIfAborted()
    if (faults.length === mostNamed || (state === 'used' && changesInUse(file.path))) return
    const fault = parents(file.path) ?? faultOf(data, file, state)
    if (fault !== undefined) faults.push(fault)
  })
  return faults
}

function faultOf(data: BytePath, { path, size }: ManifestFile, state: BackupState): string | undefined {
  if (exemptFromManifest.has(path)) return undefined
  try {
    const found = lstatSync(systemPath(joinBytes(data, path)))
    if (!found.isFile()) return `data/${shownPath(path)} is ${kindOf(found)}`
    return state === 'whole' && found.size !== size
      ? `data/${shownPath(path)} has ${found.size} bytes instead of ${size}`
      : undefined
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' && systemCode(error) !== 'ENOTDIR') throw error
    return `data/${shownPath(path)} is missing`
  }
}

/**
 * Tells of a file whether a directory above it is a link, through which it would be read, and written, elsewhere; each directory is
 * looked at once. Only the links of tablespaces may be there, to where pgbk has them.
 */
function parentCheck(layout: SnapshotLayout): (path: BytePath) => string | undefined {
  const data = bytePath(layout.data)
  const known = new Map<string, string | undefined>([['', undefined]])
  const look = (directory: BytePath): string | undefined => {
    if (!known.has(directory))
      known.set(directory, look(parentOf(directory)) ?? faultOfDirectory(data, directory))
    return known.get(directory)
  }
  return (path) => look(parentOf(path))
}

function parentOf(path: BytePath): BytePath {
  return path.slice(0, Math.max(0, path.lastIndexOf('/'))) as BytePath
}

function faultOfDirectory(data: BytePath, directory: BytePath): string | undefined {
  const path = systemPath(joinBytes(data, directory))
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found?.isSymbolicLink()) return undefined // what else it may be is told of its files
  const [, oid] = /^pg_tblspc\/(\d+)$/.exec(directory) ?? []
  const target = readlinkSync(path)
  return target === `../../tablespaces/${oid}`
    ? undefined
    : `data/${shownPath(directory)} is a symbolic link to ${target}`
}

/** A server that has run in the snapshot has removed and renamed files of these kinds. */
function changesInUse(path: string): boolean {
  return !/^(global|base)\/.*\d+$/.test(path) || /(_fsm|_vm|_init)$/.test(path)
}

function damaged(id: string, faults: string[]): PgbkError {
  const reason = `incomplete: ${faults.join('; ')}`
  return new PgbkError('damaged', `backup ${id} is ${reason}`, {
    facts: { reason },
    hint: 'Was it copied by a program that was interrupted? Copy or download it again, or use another backup (pgbk list).',
  })
}
