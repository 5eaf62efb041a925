import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type ReadableBackup, recordOf, snapshotOf } from '../catalog/backup.js'
import { majorOf } from '../catalog/record.js'
import type { Context } from '../context.js'
import { directoriesOf, harmlessLibraries } from '../postgres/local/differences.js'
import { querySettings, snapshotConf } from '../snapshot/conf/conf.js'
import { readConfFile } from '../snapshot/conf/conf-file.js'
import { settingProblem } from '../snapshot/conf/conf-rules.js'
import { parseConf } from '../snapshot/conf/conf-text.js'
import { isHarmlessCustomSetting } from '../snapshot/conf/custom-settings.js'
import { minimumsOfCopy } from './copy-minimums.js'
import { knowsTimeZone, timeZoneHint } from './known-time-zone.js'

/**
 * The configuration of a server that is started on a copy of a backup: what pgbk writes for every snapshot, with the values of this
 * one that are numbers, known words, or the applications' own. Nothing of the backup's text comes into it. Bytes, because values are
 * in the encoding of their server.
 * @param bin the directory of its programs.
 * @throws {PgbkError} `damaged` when the backup's is not a file; a system error.
 */
export async function copyConf(backup: ReadableBackup, bin: string, context: Context): Promise<Buffer> {
  const { id } = backup
  const layout = snapshotOf(backup)
  const record = recordOf(backup)
  const text = readConfFile(join(layout.conf, 'postgresql.conf'), layout.snapshot).toString('latin1')
  const values = new Map<string, string>()
  for (const { name, value, isFaulty } of parseConf(text))
    if (name !== undefined && !isFaulty && settingProblem(name, value) === undefined) values.set(name, value)
  const known = querySettings.flatMap((name) => {
    const value = values.get(name.toLowerCase())
    return value === undefined ? [] : [[name, value] as const]
  })
  const zone = timeZoneOf(backup, values)
  const conf = snapshotConf({
    id,
    major: majorOf(record),
    settings: { ...Object.fromEntries(known), ...(zone === undefined ? {} : { TimeZone: zone }) },
    customSettings: await customSettings(values, bin, context),
    knowsTimeZone: zone !== undefined && (await knowsOrWarns(zone, bin, context)),
    walSegmentSize: record.wal_segment_size,
    inPlaceTablespaces: values.get('allow_in_place_tablespaces') === 'on',
    minimums: await minimumsOfCopy(backup, bin, context),
  })
  return Buffer.from(conf, 'latin1')
}

/** Earlier versions of pgbk had it in the snapshot's configuration, and not in the record. */
function timeZoneOf(backup: ReadableBackup, values: ReadonlyMap<string, string>): string | undefined {
  const zone = recordOf(backup).server.time_zone ?? values.get('timezone')
  return zone !== undefined && settingProblem('timezone', zone) === undefined ? zone : undefined
}

/** A server does not start with a zone that it does not know; without one it has GMT. */
async function knowsOrWarns(zone: string, bin: string, context: Context): Promise<boolean> {
  if (await knowsTimeZone(zone, bin, context)) return true
  context.progress.warn(
    `the server's time zone ${zone} is not known on this machine, times are shown in GMT (${timeZoneHint})`,
  )
  return false
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
