import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { type BackupLayout, backupLayout } from '../../../src/catalog/layout.js'
import { checkConf } from '../../../src/snapshot/conf/check-conf.js'
import {
  type ConfInput,
  querySettings,
  snapshotConf,
  snapshotHba,
  snapshotIdent,
} from '../../../src/snapshot/conf/conf.js'
import { confFaults, startFaults } from '../../../src/snapshot/conf/conf-faults.js'
import { knownValues, settingProblem } from '../../../src/snapshot/conf/conf-rules.js'
import { pgbkFileChecksums } from '../../../src/snapshot/conf/pgbk-files.js'
import { aRecord, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const input: ConfInput = {
  id: '20261120T030000Z',
  major: 15,
  settings: {
    max_connections: '137',
    max_prepared_transactions: '0',
    TimeZone: 'Europe/Berlin',
    DateStyle: 'ISO, DMY',
    IntervalStyle: 'iso_8601',
    search_path: '"$user", public, "odd \\ \' \n name"',
    backslash_quote: 'safe_encoding',
    default_transaction_isolation: 'repeatable read',
    extra_float_digits: '-15',
    standard_conforming_strings: 'off',
  },
  customSettings: { 'app.tenant': "it's", 'Größe.x': 'ä', 'plpgsql.variable_conflict': 'use_column' },
  walSegmentSize: 64 * 1024 * 1024,
  inPlaceTablespaces: true,
  minimums: { max_connections: 200 },
}

function aSnapshot(changes: Partial<ConfInput> = {}): BackupLayout {
  const layout = backupLayout(aDirectory())
  for (const directory of [layout.data, layout.originalConf]) mkdirSync(directory, { recursive: true })
  writeFileSync(layout.readme, 'how to\n')
  writeFileSync(join(layout.conf, 'postgresql.conf'), snapshotConf({ ...input, ...changes }))
  writeFileSync(join(layout.conf, 'pg_hba.conf'), snapshotHba)
  writeFileSync(join(layout.conf, 'pg_ident.conf'), snapshotIdent)
  writeFileSync(join(layout.data, 'postgresql.auto.conf'), '')
  return layout
}

const startOf = (layout: BackupLayout, state: 'whole' | 'used' = 'whole') =>
  startFaults({ snapshot: layout.snapshot, state }).map(({ file, problem }) => `${file}: ${problem}`)

describe('what a snapshot is started with', () => {
  it.each([13, 14, 15, 16, 17, 18])('has no fault as create writes it for PostgreSQL %i', (major) => {
    const layout = aSnapshot({ major })
    expect(startOf(layout)).toEqual([])
    expect(confFaults(aRecord({ own_files: pgbkFileChecksums(layout) }), layout)).toEqual([])
  })

  const umlauts = 'public.größe ÄÖÜß € \u{1f600} \u0085'
  it.each([...querySettings, 'app.tenant'])(
    'has no fault where the server has letters beyond ASCII in %s',
    (name) => {
      const settings = knownValues({ [name]: umlauts })
      const isText = ['TimeZone', 'default_text_search_config', 'search_path'].includes(name)
      expect(Object.keys(settings)).toEqual(isText || name.includes('.') ? [name] : [])
      const [own, custom] = name.includes('.') ? [{}, settings] : [settings, {}]
      const layout = aSnapshot({ settings: own, customSettings: custom, knowsTimeZone: true })
      expect(startOf(layout)).toEqual([])
      expect(confFaults(aRecord({ own_files: pgbkFileChecksums(layout) }), layout)).toEqual([])
    },
  )

  it.each([
    ['archive_mode = on', 'archive_mode is not off'],
    ["Archive_Command 'touch x'", 'archive_command is not empty'],
    ["restore_command = 'touch x'", 'restore_command is not the command that pgbk writes'],
    ["recovery_end_command = 'x'", 'recovery_end_command does not belong there'],
    ["ssl_passphrase_command = 'x'", 'ssl_passphrase_command does not belong there'],
    ["shared_preload_libraries = 'evil'", 'shared_preload_libraries is not empty'],
    ["session_preload_libraries = 'evil'", 'session_preload_libraries is not empty'],
    ["listen_addresses = '*'", 'listen_addresses is not localhost'],
    ['unix_socket_permissions = 0777', 'unix_socket_permissions is not 0700'],
    ["hba_file = '/tmp/x'", 'hba_file does not belong there'],
    ["external_pid_file = '/tmp/x'", 'external_pid_file does not belong there'],
    ['logging_collector = on', 'logging_collector does not belong there'],
    ["log_directory = '/tmp'", 'log_directory does not belong there'],
    ["include '/tmp/x.conf'", 'it includes another file'],
    ['include_if_exists x.conf', 'it includes another file'],
    ["include_dir = 'x.d", 'it includes another file'],
    ['max_connections = 10; x', 'it is not a setting'],
    ["max_connections = '-1'", 'max_connections has a value that no server gives it'],
    ["client_encoding = 'x y'", 'client_encoding has a value that no server gives it'],
    ['jit_provider = x', 'jit_provider does not belong there'],
  ])('has none of %j', (line, problem) => {
    const layout = aSnapshot()
    appendFileSync(join(layout.conf, 'postgresql.conf'), `${line}\n`)
    const number = readFileSync(join(layout.conf, 'postgresql.conf'), 'utf8').split('\n').length - 1
    expect(startOf(layout)).toEqual([`snapshot/conf/postgresql.conf: line ${number}: ${problem}`])
  })

  const conf = (layout: BackupLayout, name: string) => join(layout.conf, name)
  const strange: [string, (layout: BackupLayout) => void, string][] = [
    [
      'an open door',
      (layout) => appendFileSync(conf(layout, 'pg_hba.conf'), 'host all all all trust\n'),
      'conf/pg_hba.conf: line 6 is not as',
    ],
    [
      'a map',
      (layout) => writeFileSync(conf(layout, 'pg_ident.conf'), 'm u focker\n'),
      'conf/pg_ident.conf: line 1 is not as',
    ],
    [
      'settings that override',
      (layout) => writeFileSync(join(layout.data, 'postgresql.auto.conf'), 'a=1'),
      'data/postgresql.auto.conf: it is not empty',
    ],
    [
      'a link to such',
      (layout) => {
        rmSync(join(layout.data, 'postgresql.auto.conf'))
        symlinkSync('/dev/null', join(layout.data, 'postgresql.auto.conf'))
      },
      'data/postgresql.auto.conf: it is not a file',
    ],
    [
      'a standby',
      (layout) => writeFileSync(join(layout.data, 'standby.signal'), ''),
      'data/standby.signal: it does not belong',
    ],
    [
      'a recovery',
      (layout) => symlinkSync('/nowhere', join(layout.data, 'recovery.signal')),
      'data/recovery.signal: it does not belong',
    ],
    [
      'a lost line',
      (layout) =>
        writeFileSync(
          conf(layout, 'postgresql.conf'),
          snapshotConf(input).replace(/^unix_socket_perm.*\n/m, ''),
        ),
      'it does not set unix_socket_permissions',
    ],
    [
      'a link to a configuration',
      (layout) => {
        rmSync(conf(layout, 'postgresql.conf'))
        symlinkSync('/etc/hostname', conf(layout, 'postgresql.conf'))
      },
      'conf/postgresql.conf: it is not a file',
    ],
    [
      'a pipe',
      (layout) => {
        rmSync(conf(layout, 'pg_hba.conf'))
        execaSync('mkfifo', [conf(layout, 'pg_hba.conf')])
      },
      'conf/pg_hba.conf: it is not a file',
    ],
    [
      'a link among the originals',
      (layout) => symlinkSync('/etc/shadow', join(layout.originalConf, 'pg_hba.conf')),
      'conf/original/pg_hba.conf: it is not a file',
    ],
    [
      'a file without end',
      (layout) => truncateSync(conf(layout, 'postgresql.conf'), 2 ** 31),
      'conf/postgresql.conf: it has 2147483648 bytes',
    ],
    [
      'a directory that is a link',
      (layout) => {
        rmSync(layout.conf, { recursive: true })
        symlinkSync('/etc', layout.conf)
      },
      'conf: it is not a directory',
    ],
    [
      'data that is a link',
      (layout) => {
        rmSync(layout.data, { recursive: true })
        symlinkSync('/tmp', layout.data)
      },
      'data: it is not a directory',
    ],
  ]
  it.each(strange)('is not %s', async (_what, spoil, fault) => {
    const layout = aSnapshot()
    spoil(layout)
    expect(startOf(layout).join('\n')).toContain(fault)
    const { code, message } = await thrownBy(() =>
      checkConf({ id: input.id, snapshot: layout.snapshot, state: 'whole' }),
    )
    expect({ code, message }).toEqual({ code: 'damaged', message: expect.stringContaining(fault) })
  })

  it('may lack what the README tells to take out, and have another README', () => {
    const layout = aSnapshot()
    writeFileSync(conf(layout, 'postgresql.conf'), snapshotConf(input).replace(/^DateStyle.*\n/m, ''))
    writeFileSync(layout.readme, 'mine')
    expect(startOf(layout)).toEqual([])
    expect(confFaults(aRecord({ own_files: { README: 'x' } }), layout)).not.toEqual([])
  })

  it('may have ALTER SYSTEM settings of whoever has worked in it, but is no standby', () => {
    const layout = aSnapshot()
    writeFileSync(join(layout.data, 'postgresql.auto.conf'), "work_mem = '8MB'\n")
    expect(startOf(layout, 'used')).toEqual([])
    writeFileSync(join(layout.data, 'standby.signal'), '')
    expect(startOf(layout, 'used')).toHaveLength(1)
  })
})

describe('the command with which a snapshot finds its WAL', () => {
  const former = [
    'if [ -f "../../wal/%f" ]; then cp "../../wal/%f" "%p" || exit 126; elif [ -f "../../wal/%f.gz" ]; then gzip -dc < "../../wal/%f.gz" > "%p" || exit 126; else exit 1; fi',
    'if [ -f ../../wal/"%f" ]; then cp ../../wal/"%f" "%p" || exit 126; elif [ -f ../../wal/"%f".gz ]; then gzip -dc < ../../wal/"%f".gz > "%p" || exit 126; else exit 1; fi',
    'd=../../wal; for f in "$d/%f" "$d/%f.gz"; do if [ -f "$f" ]; then case "$f" in *.gz) gzip -dc < "$f" > "%p";; *) cp "$f" "%p";; esac && exit 0; if [ -f "$f" ]; then exit 126; fi; fi; done; exit 1',
  ]
  it.each(former)('may be that of any version of pgbk: %s', (command) => {
    expect(settingProblem('restore_command', command)).toBeUndefined()
    expect(settingProblem('restore_command', `${command} `)).toBeDefined()
  })
})
