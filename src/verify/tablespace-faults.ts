import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupLayout } from '../catalog/layout.js'
import type { BackupRecord } from '../catalog/record.js'
import type { Context } from '../context.js'
import { isOutside } from '../postgres/server/server-facts.js'
import { strangeEntries } from '../snapshot/plain-tree.js'
import type { Fault } from './fault.js'

export interface TablespaceFault extends Fault {
  /** Whoever follows this link comes to files that are none of the backup's. */
  leadsOut?: boolean
}

/** Whether every tablespace is where its link leads, by a relative link, and there are no others. */
export function tablespaceFaults({ tablespaces }: BackupRecord, layout: BackupLayout): TablespaceFault[] {
  const outside = tablespaces.filter(isOutside).map(({ oid }) => String(oid))
  const all = tablespaces.map(({ oid }) => String(oid))
  return [
    ...outside.flatMap((oid) => linkFaults(oid, layout)),
    ...strangers(layout.tablespaceLinks, 'snapshot/data/pg_tblspc', all),
    ...strangers(layout.tablespaces, 'snapshot/tablespaces', outside),
  ]
}

/** What is neither a file nor a directory among the data, and links but those of tablespaces, of which `tablespaceFaults` tells. */
export async function strangeFaults(
  { tablespaces }: BackupRecord,
  { snapshot, data }: BackupLayout,
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

function linkFaults(oid: string, { tablespaceLinks, tablespaces }: BackupLayout): TablespaceFault[] {
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
