import { type Dirent, lstatSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { type ReadableBackup, snapshotOf } from '../../catalog/backup.js'
import type { SnapshotLayout } from '../../catalog/layout.js'
import type { BackupRecord } from '../../catalog/record.js'
import { type Fault, systemCode } from '../../errors.js'
import { mostBytes } from '../../system/files/read-small.js'
import { snapshotHba, snapshotIdent } from './conf.js'
import { readConfFile } from './conf-file.js'
import { neededNames, settingProblem } from './conf-rules.js'
import { isInclude, parseConf } from './conf-text.js'
import { pgbkFileChecksums } from './pgbk-files.js'

const ofServer = ['conf/postgresql.conf', 'conf/pg_hba.conf', 'conf/pg_ident.conf']

/** Whether all that opens the snapshot is there, as it was made, and nothing that would override it: pg_verifybackup exempts these files. */
export function confFaults({ config_files, own_files }: BackupRecord, layout: SnapshotLayout): Fault[] {
  const originals = config_files.map(({ copy }) => `conf/original/${copy}`)
  const faults = [
    ...directoryFaults(layout),
    ...['README', ...ofServer, ...originals].flatMap((file) => neededFault(layout, file)),
    ...strangers(layout),
  ]
  const changed = faults.length === 0 && own_files ? changedFaults(own_files, layout) : []
  return [...faults, ...changed, ...textFaults(layout, faults), ...dataFaults(layout)]
}

/**
 * What a server would be started with that pgbk has not written. Other changes of README and conf/ are somebody's own business: a run
 * and an instance get a configuration of their own, with values of this one.
 */
export function startFaults(backup: Pick<ReadableBackup, 'snapshot' | 'state'>): Fault[] {
  const layout = snapshotOf(backup)
  const faults = [
    ...directoryFaults(layout),
    ...ofServer.flatMap((file) => neededFault(layout, file)),
    ...strangers(layout),
  ]
  // Whoever has worked in the snapshot may have used ALTER SYSTEM; a run takes nothing of that.
  const inData = dataFaults(layout).filter(
    ({ file }) => backup.state !== 'used' || !file.endsWith('.auto.conf'),
  )
  return [...faults, ...textFaults(layout, faults), ...inData]
}

/** Whoever has the record's checksums knows more than what the files say. */
export const notCompared =
  'conf/ not checked: the record has no checksums of it, only what it sets was looked at'

/** A link in place of one of these would lead a server, and what is written for it, elsewhere. */
function directoryFaults({ snapshot }: SnapshotLayout): Fault[] {
  return ['.', 'conf', 'data'].flatMap((name) => {
    const found = lstatSync(join(snapshot, name), { throwIfNoEntry: false })
    return !found || found.isDirectory() ? [] : [fault(name, 'it is not a directory')]
  })
}

/** Links and pipes below conf/, and what is too large to be a configuration. */
function strangers({ snapshot, conf }: SnapshotLayout): Fault[] {
  return entriesBelow(conf).flatMap((entry) => {
    if (entry.isDirectory()) return []
    const path = join(entry.parentPath, entry.name)
    const file = relative(snapshot, path)
    if (ofServer.includes(file)) return []
    if (!entry.isFile()) return [fault(file, 'it is not a file')]
    const found = lstatSync(path, { throwIfNoEntry: false })
    return found && found.size > mostBytes.conf ? [fault(file, `it has ${found.size} bytes`)] : []
  })
}

function entriesBelow(directory: string): Dirent[] {
  if (!lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) return []
  return readdirSync(directory, { recursive: true, withFileTypes: true })
}

/** A snapshot is used up where it lies, or not at all: nobody has to change what it starts with. */
function changedFaults(recorded: Record<string, string>, layout: SnapshotLayout): Fault[] {
  const found = pgbkFileChecksums(layout)
  return [...new Set([...Object.keys(recorded), ...Object.keys(found)])].sort().flatMap((file) => {
    if (recorded[file] === found[file]) return []
    if (found[file] === undefined) return [fault(file, 'it is missing')]
    return [
      fault(
        file,
        recorded[file] === undefined
          ? 'it does not belong to the backup'
          : 'it was changed since it was made',
      ),
    ]
  })
}

/** @param known faults of the files themselves: those are not read. */
function textFaults(layout: SnapshotLayout, known: readonly Fault[]): Fault[] {
  const isReadable = (file: string) => !known.some((one) => one.file === `snapshot/${file}`)
  if (!['.', 'conf'].every(isReadable)) return []
  const textOf = (file: string) =>
    readConfFile(join(layout.snapshot, file), layout.snapshot).toString('latin1')
  return ofServer.filter(isReadable).flatMap((file) => {
    if (file === 'conf/postgresql.conf') return settingFaults(file, textOf(file))
    const wanted = file.endsWith('hba.conf') ? snapshotHba : snapshotIdent
    return textOf(file) === wanted ? [] : [fault(file, differenceOf(textOf(file), wanted))]
  })
}

function differenceOf(text: string, wanted: string): string {
  const [lines, known] = [text.split('\n'), wanted.split('\n')]
  const at = [...lines, undefined].findIndex((one, index) => one !== known[index])
  return `line ${at + 1} is not as pgbk writes it`
}

function settingFaults(file: string, text: string): Fault[] {
  const lines = parseConf(text)
  const named = new Set(lines.map(({ name }) => name))
  const wrong = lines.flatMap((line) => {
    const { name, value, number, isFaulty } = line
    const at = `line ${number}: `
    if (isInclude(line)) return [fault(file, `${at}it includes another file`)]
    if (isFaulty) return [fault(file, `${at}it is not a setting`)]
    const problem = name === undefined ? undefined : settingProblem(name, value)
    return problem === undefined ? [] : [fault(file, `${at}${printable(name)} ${problem}`)]
  })
  const missing = neededNames.filter((name) => !named.has(name))
  return [...wrong, ...missing.map((name) => fault(file, `it does not set ${name}`))]
}

/** The text comes from whoever made the file. */
function printable(name = ''): string {
  return name.replace(/[^\w.]/g, '?').slice(0, 63)
}

function dataFaults({ snapshot }: SnapshotLayout): Fault[] {
  const find = (name: string) => statIn(snapshot, `data/${name}`)
  const autoConf = find('postgresql.auto.conf')
  const faults: Fault[] = []
  if (autoConf && !autoConf.isFile()) faults.push(fault('data/postgresql.auto.conf', 'it is not a file'))
  else if (autoConf && autoConf.size > 0)
    faults.push(fault('data/postgresql.auto.conf', 'it is not empty, and would override conf/'))
  for (const name of ['standby.signal', 'recovery.signal']) {
    if (find(name))
      faults.push(fault(`data/${name}`, 'it does not belong here, and would change what the snapshot does'))
  }
  return faults
}

function neededFault({ snapshot }: SnapshotLayout, file: string): Fault[] {
  const found = statIn(snapshot, file)
  if (!found) return [fault(file, 'it is missing')]
  if (!found.isFile()) return [fault(file, 'it is not a file')]
  if (found.size > mostBytes.conf) return [fault(file, `it has ${found.size} bytes`)]
  // The server's own may well be empty.
  return found.size === 0 && !file.startsWith('conf/original/') ? [fault(file, 'it is empty')] : []
}

function statIn(snapshot: string, file: string) {
  try {
    return lstatSync(join(snapshot, file), { throwIfNoEntry: false })
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return undefined
    throw error
  }
}

function fault(file: string, problem: string): Fault {
  return { file: `snapshot/${file}`, problem }
}
