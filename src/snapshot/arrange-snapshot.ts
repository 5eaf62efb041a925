import { existsSync } from 'node:fs'
import { mkdir, readlink, rename, symlink, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SnapshotLayout } from '../catalog/layout.js'
import { copyOneFile } from '../system/files/copy-file.js'
import { syncPath, syncTree, writeDurably } from '../system/files/durable.js'
import { inside } from '../system/paths/inside.js'
import { snapshotHba, snapshotIdent } from './conf/conf.js'

/** Replaces the absolute links that pg_basebackup made by relative ones, so that the snapshot can be moved. */
export async function makeLinksRelative(layout: SnapshotLayout, tablespaceOids: number[]): Promise<void> {
  for (const oid of tablespaceOids) {
    const link = join(layout.tablespaceLinks, String(oid))
    await readlink(link)
    await unlink(link)
    await symlink(`../../tablespaces/${oid}`, link)
  }
  await syncPath(layout.tablespaceLinks)
  if (tablespaceOids.length > 0) await syncPath(layout.tablespaces)
}

interface OriginalFile {
  /** Path below conf/original. */
  copy: string
  /** Path below the data directory when it came with the base backup. */
  inData?: string | undefined
  content?: Buffer | undefined
}

interface ConfFiles {
  postgresqlConf: string
  originals: OriginalFile[]
}

/**
 * Writes conf/, and takes out of the data directory what would override them there: the contents of
 * postgresql.auto.conf, and the signal files with which a standby would go on being one. pg_verifybackup exempts exactly
 * these files (src/bin/pg_verifybackup/pg_verifybackup.c). All is on disk when this returns.
 * @returns the names below conf/original that were written.
 */
export async function arrangeConf(layout: SnapshotLayout, files: ConfFiles): Promise<string[]> {
  await mkdir(layout.originalConf, { recursive: true })
  const written: string[] = []
  for (const original of files.originals) {
    if (await keepOriginal(layout, original)) written.push(original.copy)
  }
  const autoConf = join(layout.data, 'postgresql.auto.conf')
  if (existsSync(autoConf)) {
    await copyOneFile(autoConf, join(layout.originalConf, 'postgresql.auto.conf'), 0)
    await writeDurably(autoConf, '')
  }
  for (const name of ['standby.signal', 'recovery.signal']) {
    const signalFile = join(layout.data, name)
    if (existsSync(signalFile)) await rename(signalFile, join(layout.originalConf, name))
  }
  await writeDurably(join(layout.conf, 'postgresql.conf'), files.postgresqlConf)
  await writeDurably(join(layout.conf, 'pg_hba.conf'), snapshotHba)
  await writeDurably(join(layout.conf, 'pg_ident.conf'), snapshotIdent)
  await syncTree(layout.conf)
  await syncPath(layout.data)
  return written
}

async function keepOriginal(
  layout: SnapshotLayout,
  { copy, inData, content }: OriginalFile,
): Promise<boolean> {
  const target = inside(layout.originalConf, copy)
  const source = inData === undefined ? undefined : inside(layout.data, inData)
  if (content === undefined && (source === undefined || !existsSync(source))) return false
  await mkdir(dirname(target), { recursive: true })
  if (content !== undefined) await writeDurably(target, content)
  else if (source !== undefined) await copyOneFile(source, target, 0)
  return true
}
