import { describe, expect, it } from '@jest/globals'
import {
  adaptConf,
  markedBlock,
  recoveryBlock,
  settingIn,
  switchedOff,
  withoutRecovery,
} from '../../../../src/restore/directory/conf/production-conf.js'
import { aRecord } from '../../../catalog/samples.js'

const etc = '/etc/postgresql/17/main'
const copies = new Map([
  [`${etc}/postgresql.conf`, 'postgresql.conf'],
  [`${etc}/conf.d/mine.conf`, 'conf.d/mine.conf'],
  ['/srv/shared/all.conf', 'srv/shared/all.conf'],
])
const adapted = (text: string, from = `${etc}/postgresql.conf`) => adaptConf(text, from, copies)

describe("the server's configuration in a data directory", () => {
  it.each([
    "data_directory = '/var/lib/postgresql/17/main'",
    "  HBA_FILE='/etc/x'",
    "ident_file '/etc/y'",
    "external_pid_file = '/run/pid'",
  ])('loses the place that %j names', (line) => {
    expect(adapted(line)).toEqual({
      text: expect.stringMatching(/^#.*# pgbk restore: named a place on the server$/),
      notes: [],
    })
  })

  it.each([
    'port = 5432',
    '#data_directory = 1',
    'data_directory_mode = 0700',
    "log_line_prefix = '%m hba_file'",
    '',
    "include_if_exists 'away.conf'",
  ])('keeps %j as it is', (line) => expect(adapted(line)).toEqual({ text: line, notes: [] }))

  it.each([
    ["include '/srv/shared/all.conf'", "include 'srv/shared/all.conf'"],
    [`include = '${etc}/conf.d/mine.conf'`, "include 'conf.d/mine.conf'"],
    ["include_dir = 'conf.d'", "include_dir 'conf.d'"],
    [`include_dir '${etc}/conf.d'`, "include_dir 'conf.d'"],
  ])('finds the file of %j beside it', (line, expected) => {
    expect(adapted(line)).toEqual({ text: expected, notes: [] })
  })

  it('finds a file from an included one', () => {
    const line = "include '/srv/shared/all.conf'"
    expect(adapted(line, `${etc}/conf.d/mine.conf`).text).toBe("include '../srv/shared/all.conf'")
  })

  it('says what is not in the backup, and that a directory may have been empty', () => {
    const { text, notes } = adapted("include 'gone.conf'\ninclude_dir 'empty.d'")
    expect(text.split('\n').every((line) => line.startsWith('#include'))).toBe(true)
    expect(notes).toEqual([
      `${etc}/gone.conf, which ${etc}/postgresql.conf includes, is not in the backup`,
      `${etc}/empty.d, which ${etc}/postgresql.conf includes, is not in the backup, or was empty`,
    ])
  })

  it('keeps bytes of every encoding, and finds files by their names in UTF-8', () => {
    const path = '/srv/Größe.conf'
    const bytes = Buffer.concat([Buffer.from([0x78, 0xe4, 0x0a]), Buffer.from(`include '${path}'`)])
    const { text } = adaptConf(
      bytes.toString('latin1'),
      `${etc}/postgresql.conf`,
      new Map([...copies, [path, 'srv/Größe.conf']]),
    )
    const written = Buffer.from(text, 'latin1')
    expect(written[1]).toBe(0xe4)
    expect(written.subarray(3).toString()).toBe("include 'srv/Größe.conf'")
  })
})

describe('a setting in a text', () => {
  it.each([
    ["a = 'b'", 'b'],
    ["A='it''s'", "it's"],
    ['a b # c', 'b'],
    ["a = 1\na = 'last'", 'last'],
    ['#a = 1', undefined],
    ['ab = 1', undefined],
  ])('%j', (text, value) => expect(settingIn(text, 'a')).toBe(value))
})

describe('what is switched off', () => {
  it('are archiving, replication, waiting for standbys, subscriptions; and no library that starts no jobs', () => {
    expect(switchedOff(aRecord()).settings).toEqual({
      archive_mode: 'off',
      archive_command: '',
      archive_library: '',
      primary_conninfo: '',
      primary_slot_name: '',
      synchronous_standby_names: '',
      max_logical_replication_workers: '0',
    })
  })

  it('are libraries that start jobs, and no other', () => {
    const libraries = ['pg_stat_statements', 'pg_cron', '$libdir/timescaledb', 'an odd one']
    const { settings, reasons } = switchedOff(aRecord({ preload_libraries: libraries }))
    expect(settings.shared_preload_libraries).toBe('pg_stat_statements, "an odd one"')
    expect(reasons.join('\n')).toContain('pg_cron, $libdir/timescaledb')
  })

  it('is unknown for libraries that the role may not know', () => {
    expect(switchedOff(aRecord({ preload_libraries: null })).reasons.join()).toContain('is unknown')
  })

  it('names nothing that an old server does not know', () => {
    const { server } = aRecord()
    expect(switchedOff(aRecord({ server: { ...server, version_num: 130_014 } })).settings).not.toHaveProperty(
      'archive_library',
    )
  })

  it('stands between marks that the sed of the message finds', () => {
    const lines = markedBlock(switchedOff(aRecord())).trimEnd().split('\n')
    expect(lines[0]).toMatch(/^# pgbk restore: begin/)
    expect(lines.at(-1)).toBe('# pgbk restore: end')
  })
})

describe('the settings of a first recovery', () => {
  const block = recoveryBlock({ restore_command: 'cp', recovery_target_lsn: '0/3000028' })

  it('take back what an earlier recovery has left, before the new target, which stands once', () => {
    const names = block.split('\n').flatMap((line) => /^(\w+) =/.exec(line)?.[1] ?? [])
    expect(names.slice(0, 3)).toEqual(['recovery_target', 'recovery_target_name', 'recovery_target_time'])
    expect(names.filter((name) => name === 'recovery_target_lsn')).toHaveLength(1)
    expect(names.at(-1)).toBe('recovery_target_lsn')
    expect(block).toContain("recovery_min_apply_delay = '0'")
    expect(block).toContain("archive_cleanup_command = ''")
  })

  it('go again, and nothing else', () => {
    expect(withoutRecovery(`a = 1\n${block}b = 2\n`)).toBe('a = 1\nb = 2\n')
    expect(withoutRecovery('a = 1\n')).toBe('a = 1\n')
  })
})
