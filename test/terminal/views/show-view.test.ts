import { describe, expect, it } from '@jest/globals'
import { type LocalBackup, recordOf } from '../../../src/catalog/backup.js'
import { createText } from '../../../src/terminal/views/create-view.js'
import { deleteText } from '../../../src/terminal/views/delete-view.js'
import { showJson, showText } from '../../../src/terminal/views/show-view.js'
import { aDatabase, aProof, aRecord, aStandby } from '../../catalog/samples.js'
import { aScreen, asFound, aWindow, commandsOfTerminals, hasCommands, theBackup } from '../screens.js'

const here = (backup: LocalBackup, changes = {}) => ({
  backup,
  location: backup.directory,
  window: aWindow(backup, changes),
  source: undefined,
})
const show = (changes = {}) => showText(here(theBackup(changes)), aScreen())

/** The sample record with the same nasty text in every place where a record can have any. */
function nastyBackup() {
  const spoil = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(spoil)
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, spoil(inner)]))
    return typeof value === 'string' && !/^\d{4}/.test(value) ? `x${commandsOfTerminals}\ny` : value
  }
  const record = aRecord({ label: 'x' })
  const { kind, start_lsn, stop_lsn, checkpoint_lsn } = record
  const nasty = spoil(record) as typeof record
  return theBackup({ ...nasty, kind, start_lsn, stop_lsn, checkpoint_lsn })
}

describe('show', () => {
  it('tells what the data of a standby are as of, and how that is known; create does too', () => {
    const standby = { copied_at: '2026-11-17T03:00:00.123456Z', standby: aStandby }
    expect(show(standby)).toMatch(
      /Data as of +2026-11-17 03:00:00 UTC \(3 days ago\): the last commit that the standby had replayed\n/,
    )
    expect(createText(theBackup(standby), aScreen())).toMatch(
      /Data as of 2026-11-17 03:00:00 UTC.*3 days ago\n/,
    )
    expect(show() + createText(theBackup(), aScreen())).not.toContain('Data as of')
  })

  it('tells everything about a backup', () => {
    const text = show({ label: 'before the upgrade' })
    const facts = [
      '20261120T030000Z',
      'whole',
      'before the upgrade',
      'on-demand',
      '15 minutes ago',
      '38.1 MB',
    ]
    const server = ['15.18', 'db1', '5432', 'shop', '7574880158414284817', 'focker', '0/3000028', '16.0 MB']
    const inside = [
      'app',
      'C.UTF-8',
      'fast',
      '/mnt/fast',
      'hstore',
      'pg_stat_statements',
      '/srv/pg/data/backup',
    ]
    for (const fact of [...facts, ...server, ...inside]) expect(text).toContain(fact)
  })

  it('names the commands that could come next', () => {
    const text = show()
    expect(text).toContain('cd /srv/pg/data/backup/20261120T030000Z/snapshot && postgres -D conf')
    expect(text).toContain('pgbk local-run 20261120T030000Z -C /srv/pg')
    expect(text).toContain('pgbk delete 20261120T030000Z -C /srv/pg')
  })

  it('leaves out what there is not', () => {
    const text = show({ tablespaces: [], extensions: [], preload_libraries: null })
    expect(text).not.toMatch(/Tablespaces|Extensions|Label/)
    expect(text).toMatch(/Preloaded +unknown/)
  })

  it('says what is unknown of a database', () => {
    const text = show({ databases: [{ ...aDatabase('closed'), size_bytes: null, unlogged_tables: 2 }] })
    expect(text).toMatch(/closed +unknown .* 2 \(empty in a copy\)/)
  })

  it('says what used means', () => {
    expect(showText(here(theBackup({}, 'used')), aScreen())).toMatch(/State +used: a server was started/)
  })

  it('of another root offers its download, and nothing that needs the backup here', () => {
    const text = showText({ ...here(theBackup()), window: undefined, source: "db1:it's here" }, aScreen())
    const next = text.slice(text.indexOf('Next'))
    expect(next).toBe(`Next\n  pgbk download 20261120T030000Z --from 'db1:it'\\''s here' -C /srv/pg\n`)
  })

  it('says that it is held and why, and what its proof has shown', () => {
    const hold = { format: 1, since: '2026-11-20T03:05:00.000Z', reason: 'the audit' } as const
    const proof = aProof({ replay_ms: 4200 })
    const text = showText(here(theBackup({}, 'whole', { hold, proof })), aScreen())
    expect(text).toMatch(/^Held +since 2026-11-20 03:05:00 UTC: the audit$/m)
    expect(text).toMatch(
      /^Proof +proven 2 days ago, ready in 0.9 s, WAL replayed in 4.2 s, by PostgreSQL 15.18$/m,
    )
    expect(text).toContain('pgbk release 20261120T030000Z -C /srv/pg')
    const bad = aProof({ ok: false, faults: ['does not start', 'no table'] })
    expect(showText(here(theBackup({}, 'whole', { hold, proof: bad })), aScreen())).toMatch(
      /^Proof +failed 2 days ago; does not start; no table$/m,
    )
  })

  it('is the record for programs', () => {
    const record = recordOf(theBackup())
    const directory = '/srv/pg/data/backup/20261120T030000Z'
    const window = {
      from: record.finished_at,
      from_lsn: record.stop_lsn,
      to: record.finished_at,
      to_lsn: record.stop_lsn,
      timeline: 1,
      ends_with: 'snapshot',
      segments: 1,
      gap: null,
      fault: null,
    }
    expect(showJson(here(theBackup()))).toEqual({
      backup: { ...record, ...asFound(record), directory, window },
    })
  })
})

describe('a record that was tampered with', () => {
  it('cannot command the terminal through show', () => {
    expect(hasCommands(showText(here(nastyBackup()), aScreen()))).toBe(false)
  })

  it('cannot forge lines of show', () => expect(showText(here(nastyBackup()), aScreen())).not.toMatch(/^y/m))
})

describe('create and delete', () => {
  it('say where the backup is, how big, how long it took, and how to open it', () => {
    const text = createText(theBackup(), aScreen())
    for (const fact of [
      '20261120T030000Z',
      '38.1 MB',
      '1234 files',
      '12 s',
      'verified',
      'pgbk local-run 20261120T030000Z -C /srv/pg',
      'postgres -D conf',
    ])
      expect(text).toContain(fact)
    expect(createText(theBackup({ verified: false }), aScreen())).toContain('not verified')
  })

  it('say what was deleted', () => {
    expect(
      deleteText(
        { moved: [], deleted: [{ ...theBackup(), freedBytes: theBackup().storedBytes }] },
        aScreen(),
      ),
    ).toBe('Deleted 20261120T030000Z (38.1 MB)\n')
  })

  it('are quiet when that is wanted', () => {
    const quiet = aScreen({ quiet: true })
    expect([
      createText(theBackup(), quiet),
      deleteText({ moved: [], deleted: [{ ...theBackup(), freedBytes: theBackup().storedBytes }] }, quiet),
    ]).toEqual(['', ''])
  })
})
