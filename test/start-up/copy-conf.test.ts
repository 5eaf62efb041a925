import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { ReadableBackup } from '../../src/catalog/backup.js'
import { backupLayout } from '../../src/catalog/layout.js'
import type { Context } from '../../src/context.js'
import { type ConfInput, snapshotConf } from '../../src/snapshot/conf/conf.js'
import { copyConf } from '../../src/start-up/copy-conf.js'
import { aRecord, thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, attempt, binOf } from '../helpers/programs.js'

const input: ConfInput = {
  id: '20261120T030000Z',
  major: 15,
  settings: {
    max_connections: '137',
    track_commit_timestamp: 'on',
    TimeZone: 'Europe/Berlin',
    search_path: 'a, "b\n\'\\"',
  },
  customSettings: { 'app.tenant': "it's; x = 1\n#", 'plpgsql.variable_conflict': 'use_column' },
  walSegmentSize: 16 * 1024 * 1024,
  inPlaceTablespaces: false,
  minimums: {},
}

/** As it is for a copy: with room for what WAL may bring, and the time zone where it is known. */
const ofCopy = snapshotConf({ ...input, minimums: { max_replication_slots: 1000 }, knowsTimeZone: true })

async function copied(text: string | Buffer, zone: string | undefined = 'Europe/Berlin'): Promise<string> {
  const layout = backupLayout(aDirectory())
  mkdirSync(layout.conf, { recursive: true })
  writeFileSync(join(layout.conf, 'postgresql.conf'), text)
  const record = aRecord()
  const backup = {
    id: input.id,
    snapshot: layout.snapshot,
    raw: { ...record, server: { ...record.server, time_zone: zone } },
  } as ReadableBackup
  const context = {
    env: { PATH: '/usr/bin:/bin' },
    signal: new AbortController().signal,
    progress: { warn: () => {} },
  } as unknown as Context
  return (await copyConf(backup, binOf(anyMajor), context)).toString('latin1')
}

describe('the configuration of a server that is started on a copy', () => {
  it('has the values of the snapshot’s', async () => {
    expect(await copied(snapshotConf(input))).toBe(ofCopy)
  })

  it('has the time zone that an earlier pgbk wrote there, and none that is not known here', async () => {
    const ofEarlier = snapshotConf({ ...input, knowsTimeZone: true })
    expect(await copied(ofEarlier, undefined)).toBe(ofCopy)
    expect(await copied(ofEarlier, 'Nowhere/Land')).toMatch(/^# TimeZone = 'Nowhere\/Land' /m)
  })

  it('has those with letters beyond ASCII, byte by byte', async () => {
    const settings = { default_text_search_config: 'public.größe', search_path: '"Übersicht ß", public' }
    const custom = { 'app.tenant': 'ÄÖÜ €' }
    const text = snapshotConf({
      ...input,
      settings: { ...input.settings, ...settings },
      customSettings: custom,
    })
    const said = Buffer.from(await copied(text), 'latin1').toString()
    for (const line of ["public.größe'", '"Übersicht ß"', "app.tenant = 'ÄÖÜ €'"])
      expect(said).toContain(line)
  })

  it.each([
    "archive_mode = on\narchive_command = 'x'",
    "include '/etc/x'",
    'include_dir x',
    "shared_preload_libraries = 'x'",
    "restore_command = 'x'",
    "hba_file = '/x'",
    'max_connections = 1x',
    "client_encoding = 'x y'",
    "plperl.on_init = 'x'",
    "PLPERL.on_init = 'x'",
    "pgbk.run = '/x'",
    "pgstattuple.x = 'of a library that is installed here'",
    "no line at all ' ",
    'cluster_name = evil',
    'port = 1',
  ])('has nothing of %j', async (lines) => {
    expect(await copied(`${snapshotConf(input)}\n${lines}\n`)).toBe(ofCopy)
    expect(await copied(`track_commit_timestamp = on\n${lines}`)).not.toContain(lines)
  })

  it('keeps the bytes of every encoding, as PostgreSQL reads them', async () => {
    const text = Buffer.concat([
      Buffer.from(snapshotConf(input)),
      Buffer.from("app.k = 'K\xe4se'\n", 'latin1'),
    ])
    const directory = aDirectory()
    writeFileSync(join(directory, 'postgresql.conf'), await copied(text), 'latin1')
    const command = [`${binOf(anyMajor)}/postgres`, '-C', 'app.k', '-D', directory]
    const { stdout } = await attempt(command, { encoding: 'latin1' } as never)
    expect(stdout).toBe('K\xe4se')
  })

  it('is refused when there is no file to read', async () => {
    const layout = backupLayout(aDirectory())
    mkdirSync(join(layout.conf, 'postgresql.conf'), { recursive: true })
    const backup = { id: input.id, snapshot: layout.snapshot, raw: aRecord() } as ReadableBackup
    const { code } = await thrownBy(() => copyConf(backup, '/nowhere', {} as Context))
    expect(code).toBe('damaged')
  })
})
