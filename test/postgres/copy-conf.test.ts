import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { Backup } from '../../src/backup/catalog.js'
import { type ConfInput, snapshotConf } from '../../src/backup/conf.js'
import { backupLayout } from '../../src/backup/layout.js'
import type { Context } from '../../src/context.js'
import { copyConf } from '../../src/postgres/copy-conf.js'
import { aRecord, thrownBy } from '../backup/samples.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, attempt, binOf } from '../helpers/programs.js'

const input: ConfInput = {
  id: '20261120T030000Z',
  major: 15,
  settings: { max_connections: '137', TimeZone: 'Europe/Berlin', search_path: 'a, "b\n\'\\"' },
  customSettings: { 'app.tenant': "it's; x = 1\n#", 'plpgsql.variable_conflict': 'use_column' },
  walSegmentSize: 16 * 1024 * 1024,
  inPlaceTablespaces: false,
  minimums: {},
}

async function copied(text: string | Buffer): Promise<string> {
  const layout = backupLayout(aDirectory())
  mkdirSync(layout.conf, { recursive: true })
  writeFileSync(join(layout.conf, 'postgresql.conf'), text)
  const backup = { id: input.id, layout, record: aRecord() } as Backup
  const context = {
    env: { PATH: '/usr/bin:/bin' },
    signal: new AbortController().signal,
  } as unknown as Context
  return (await copyConf(backup, binOf(anyMajor), context)).toString('latin1')
}

describe('the configuration of a server that is started on a copy', () => {
  it('has the values of the snapshot’s', async () => {
    expect(await copied(snapshotConf(input))).toBe(snapshotConf(input))
  })

  it('has those with letters beyond ASCII, byte by byte', async () => {
    const settings = { default_text_search_config: 'public.größe', search_path: '"Übersicht ß", public' }
    const text = snapshotConf({ ...input, settings, customSettings: { 'app.tenant': 'ÄÖÜ €' } })
    expect(Buffer.from(await copied(text), 'latin1').toString()).toBe(text)
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
    expect(await copied(`${snapshotConf(input)}\n${lines}\n`)).toBe(snapshotConf(input))
    expect(await copied(lines)).not.toContain(lines)
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
    const backup = { id: input.id, layout, record: aRecord() } as Backup
    const { code } = await thrownBy(() => copyConf(backup, '/nowhere', {} as Context))
    expect(code).toBe('damaged')
  })
})
