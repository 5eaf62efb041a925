import { lstatSync, readdirSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type ReadableBackup, recordOf, snapshotOf } from '../catalog/backup.js'
import type { SnapshotLayout } from '../catalog/layout.js'
import { type BackupRecord, majorOf } from '../catalog/record.js'
import type { Context } from '../context.js'
import { type Fault, messageOf, PgbkError, systemCode } from '../errors.js'
import { readSystemIdentifiers } from '../postgres/local/control-file.js'
import { snapshotFaults, type Verifier } from '../postgres/programs/check-backup.js'
import { isOutside } from '../postgres/server/server-facts.js'
import { readBackupLabel } from '../snapshot/backup-label.js'
import { missingDirectories } from '../snapshot/data-directories.js'
import { readWalRange } from '../snapshot/manifest/manifest.js'
import { strangeEntries } from '../snapshot/plain-tree.js'
import { mostBytes, readSmallText } from '../system/files/read-small.js'

/** Where the record and the files of the snapshot contradict each other. */
export async function recordFaults(record: BackupRecord, layout: SnapshotLayout): Promise<Fault[]> {
  const { data } = layout
  const found = await Promise.all([
    compare('snapshot/data/PG_VERSION', async () => {
      const version = readSmallText(join(data, 'PG_VERSION'), mostBytes.note).trim()
      return [['major version', String(majorOf(record)), version]]
    }),
    compare('snapshot/data/backup_label', async () => {
      const label = await readBackupLabel(join(data, 'backup_label'))
      return [
        ['start_lsn', record.start_lsn, label.startLsn],
        ['checkpoint_lsn', record.checkpoint_lsn, label.checkpointLsn],
      ]
    }),
    compare('snapshot/data/backup_manifest', async () => {
      const range = await readWalRange(join(data, 'backup_manifest'))
      return [
        ['stop_lsn', record.stop_lsn, range.endLsn],
        ['timeline', String(record.timeline), String(range.timeline)],
      ]
    }),
    compare('snapshot/data/global/pg_control', async () => {
      const identifiers = await readSystemIdentifiers(data)
      const { system_identifier } = record.server
      const same = identifiers.includes(system_identifier)
      return [['system_identifier', system_identifier, same ? system_identifier : (identifiers[0] ?? '')]]
    }),
  ])
  return found.flat()
}

/** A field of the record, what it says, and what the file says. */
type Comparison = [field: string, recorded: string, found: string]

/** A file that is missing is pg_verifybackup's to tell. */
async function compare(file: string, read: () => Promise<Comparison[]>): Promise<Fault[]> {
  try {
    return (await read())
      .filter(([, recorded, found]) => recorded !== found)
      .map(([field, recorded, found]) => ({
        file: 'backup.json',
        problem: `its ${field} is ${recorded}, but ${file} says ${found}`,
      }))
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return []
    if (error instanceof SyntaxError || error instanceof RangeError)
      return [{ file, problem: messageOf(error) }]
    if (error instanceof PgbkError && error.code === 'damaged') return [{ file, problem: error.message }]
    throw error
  }
}

/** What keeps a server from starting in a data directory, though all its files are there. */
export function directoryFaults({ data }: SnapshotLayout): Fault[] {
  const missing = missingDirectories(data).map((name) => ({
    file: `snapshot/data/${name}`,
    problem: 'it is missing, and no server starts without it: its copy has lost empty directories',
  }))
  return [...modeFaults(data), ...missing]
}

/** checkDataDir() in src/backend/utils/init/miscinit.c. */
function modeFaults(data: string): Fault[] {
  const mode = statSync(data).mode & 0o7777
  if ((mode & 0o027) === 0) return []
  const problem = `its mode is ${mode.toString(8).padStart(4, '0')}, and no server starts in it: 0700 or 0750 is needed`
  return [{ file: 'snapshot/data', problem }]
}

/** What is not where it was, or not what it was: links and tablespaces first, then every file, compared with the manifest. */
export async function fileFaults(
  backup: ReadableBackup,
  verifier: Verifier,
  context: Context,
): Promise<Fault[]> {
  const [record, layout] = [recordOf(backup), snapshotOf(backup)]
  const links = [...tablespaceFaults(record, layout), ...(await strangeFaults(record, layout, context))]
  if (links.some((link) => link.leadsOut)) return [...links, ...notCompared]
  const { env, signal, progress } = context
  const check = { env, signal, onBytes: progress.bytes }
  const faults = await snapshotFaults(verifier, layout.snapshot, check)
  return [...links, ...faults.map(({ file, problem }) => ({ file: `snapshot/${file}`, problem }))]
}

/** pg_verifybackup would follow the link, and read whatever is there, perhaps without end. */
const notCompared: Fault[] = [
  {
    file: 'snapshot/data/backup_manifest',
    problem: 'the files were not compared with it: a link leads elsewhere',
  },
]

interface TablespaceFault extends Fault {
  /** Whoever follows this link comes to files that are none of the backup's. */
  leadsOut?: boolean
}

/** Whether every tablespace is where its link leads, by a relative link, and there are no others. */
function tablespaceFaults({ tablespaces }: BackupRecord, layout: SnapshotLayout): TablespaceFault[] {
  const outside = tablespaces.filter(isOutside).map(({ oid }) => String(oid))
  const all = tablespaces.map(({ oid }) => String(oid))
  return [
    ...outside.flatMap((oid) => linkFaults(oid, layout)),
    ...strangers(layout.tablespaceLinks, 'snapshot/data/pg_tblspc', all),
    ...strangers(layout.tablespaces, 'snapshot/tablespaces', outside),
  ]
}

/** What is neither a file nor a directory among the data, and links but those of tablespaces, of which `tablespaceFaults` tells. */
async function strangeFaults(
  { tablespaces }: BackupRecord,
  { snapshot, data }: SnapshotLayout,
  { signal }: Pick<Context, 'signal'>,
): Promise<TablespaceFault[]> {
  const known = new Set(tablespaces.map(({ oid }) => `data/pg_tblspc/${oid}`))
  const linkTarget = (name: string) => (known.has(name) ? `../../tablespaces/${name.slice(15)}` : undefined)
  if (!lstatSync(data).isDirectory())
    return [{ file: 'snapshot/data', problem: 'it is not a directory', leadsOut: true }]
  const found = await strangeEntries(snapshot, { linkTarget, mayBeLinked: true, signal })
  return found
    .filter(({ name }) => !/^data\/pg_tblspc\/[^/]+$/.test(name))
    .map(({ name, kind, isLink }) => ({
      file: `snapshot/${name}`,
      problem: `it is ${kind}`,
      leadsOut: isLink,
    }))
}

function linkFaults(oid: string, { tablespaceLinks, tablespaces }: SnapshotLayout): TablespaceFault[] {
  const faults: TablespaceFault[] = []
  const file = `snapshot/data/pg_tblspc/${oid}`
  const link = lstatSync(join(tablespaceLinks, oid), { throwIfNoEntry: false })
  const wanted = `../../tablespaces/${oid}`
  if (!link) faults.push({ file, problem: 'it is missing' })
  else if (!link.isSymbolicLink()) faults.push({ file, problem: 'it is not a symbolic link' })
  else {
    const target = readlinkSync(join(tablespaceLinks, oid))
    if (target !== wanted)
      faults.push({ file, problem: `it leads to ${target} instead of ${wanted}`, leadsOut: true })
  }
  if (!lstatSync(join(tablespaces, oid), { throwIfNoEntry: false })?.isDirectory())
    faults.push({ file: `snapshot/tablespaces/${oid}`, problem: 'it is missing' })
  return faults
}

function strangers(directory: string, path: string, known: string[]): TablespaceFault[] {
  if (!lstatSync(directory, { throwIfNoEntry: false })) return []
  return readdirSync(directory, { withFileTypes: true })
    .filter(({ name }) => !known.includes(name))
    .map((entry) => ({
      file: `${path}/${entry.name}`,
      problem: 'the record knows no such tablespace',
      leadsOut: entry.isSymbolicLink(),
    }))
}
