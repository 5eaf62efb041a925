import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Backup } from '../backup/catalog.js'
import { querySettings, recoveryMinimums, snapshotConf } from '../backup/conf.js'
import { readConfFile } from '../backup/conf-file.js'
import { settingProblem } from '../backup/conf-rules.js'
import { parseConf } from '../backup/conf-text.js'
import { isHarmlessCustomSetting } from '../backup/custom-settings.js'
import { majorOf } from '../backup/record.js'
import type { Context } from '../context.js'
import { directoriesOf, harmlessLibraries } from './differences.js'

/**
 * The configuration of a server that is started on a copy of a backup: what pgbk writes for every snapshot, with the values of this
 * one that are numbers, known words, or the applications' own. Nothing of the backup's text comes into it. Bytes, because values are
 * in the encoding of their server.
 * @param bin the directory of its programs.
 * @throws {PgbkError} `damaged` when the backup's is no file; a system error.
 */
export async function copyConf(backup: Backup, bin: string, context: Context): Promise<Buffer> {
  const { layout, record, id } = backup
  const text = readConfFile(join(layout.conf, 'postgresql.conf'), layout.snapshot).toString('latin1')
  const values = new Map<string, string>()
  for (const { name, value, isFaulty } of parseConf(text))
    if (name !== undefined && !isFaulty && settingProblem(name, value) === undefined) values.set(name, value)
  const known = [...recoveryMinimums, ...querySettings].flatMap((name) => {
    const value = values.get(name.toLowerCase())
    return value === undefined ? [] : [[name, value] as const]
  })
  const conf = snapshotConf({
    id,
    major: majorOf(record),
    settings: Object.fromEntries(known),
    customSettings: await customSettings(values, bin, context),
    walSegmentSize: record.wal_segment_size,
    inPlaceTablespaces: values.get('allow_in_place_tablespaces') === 'on',
    minimums: {},
  })
  return Buffer.from(conf, 'latin1')
}

/** Those of the applications; what a library that is installed here would make of its own is not known. */
async function customSettings(
  values: ReadonlyMap<string, string>,
  bin: string,
  context: Context,
): Promise<Record<string, string>> {
  const custom = [...values].filter(([name]) => name.includes('.') && isHarmlessCustomSetting(name))
  const directories = custom.length > 0 ? await directoriesOf(bin, context) : undefined
  const isOfLibrary = (name: string) => {
    const [prefix = ''] = name.split('.')
    if (!directories || harmlessLibraries.has(prefix)) return false
    return ['so', 'dylib'].some((ending) => existsSync(join(directories.libraries, `${prefix}.${ending}`)))
  }
  return Object.fromEntries(custom.filter(([name]) => !isOfLibrary(name)))
}
