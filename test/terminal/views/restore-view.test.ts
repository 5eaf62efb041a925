import { describe, expect, it } from '@jest/globals'
import { recordOf } from '../../../src/catalog/backup.js'
import { instanceLayout } from '../../../src/catalog/layout.js'
import { switchedOff } from '../../../src/restore/directory/conf/production-conf.js'
import type { RestoreResult } from '../../../src/restore/finish-directory.js'
import type { Instance } from '../../../src/restore/instance/instance.js'
import type { RestorePlan } from '../../../src/restore/plan-restore.js'
import {
  instanceJson,
  instancesText,
  startedText,
  stoppedText,
} from '../../../src/terminal/views/instance-view.js'
import { planText, restoreJson, restoreText } from '../../../src/terminal/views/restore-view.js'
import { aRecord } from '../../catalog/samples.js'
import { aScreen, commandsOfTerminals, hasCommands, theBackup } from '../screens.js'

const snapshot = '/srv/pg/snapshot'
const backup = { ...theBackup(), snapshot }
const owner = { uid: 1, gid: 1 }
const recovery: RestorePlan['recovery'] = {
  target: { point: { kind: 'latest' } },
  archive: undefined,
  wal: { segments: 3, bytes: 48 * 2 ** 20 },
  range: { startLsn: '0/3000028', endLsn: '0/6000100' },
  recovery: {
    archives: [{ directory: '/a', from: 0n }],
    timeline: 1,
    lastSegment: 6n,
    segmentSize: 16 * 2 ** 20,
    stop: { lsn: '0/60000C8', inclusive: true },
    minimums: {},
    action: 'promote',
  },
  requiredLsn: '0/6000100',
  notAfter: undefined,
  targetText: 'the end of the WAL archive',
  asOf: '2026-11-20T03:10:00.000Z',
  until: '2026-11-20T03:10:00.000Z',
  gap: undefined,
  damage: undefined,
  unfinished: undefined,
  noted: [],
  newTablespaces: [],
  switches: [],
}
const programs = { postgres: '/usr/lib/postgresql/15/bin/postgres', bin: '', installations: [] }
const request = { backup, owner, recovery, programs, port: 5433 }
const plan: RestorePlan = {
  backup,
  recovery,
  programs,
  start: true,
  room: [{ place: '/srv', needed: 10, free: 2 ** 30 }],
  destination: {
    kind: 'instance',
    request: { ...request, root: '/srv/pg', name: 'staging', database: 'app' },
  },
}
const instance: Instance = {
  name: 'staging',
  layout: instanceLayout('/srv/pg/data/instances/staging'),
  record: {
    format: 1,
    name: 'staging',
    backup: backup.id,
    created_at: '2026-11-20T03:12:00.000Z',
    server_version: '15.18',
    major: 15,
    role: 'focker',
    database: 'app',
  },
  state: 'running',
  port: 5433,
  sockets: '/srv/pg/data/instances/staging/run',
  host: '/srv/pg/data/instances/staging/run',
  pid: 77,
  uid: 1,
  gid: 1,
}
const intoDirectory = (data: string, changes: object = {}): RestorePlan => ({
  ...plan,
  start: false,
  destination: {
    kind: 'directory',
    request: {
      ...request,
      data,
      tablespaces: [],
      switchedOff: switchedOff(aRecord()),
      archive: '/srv/wal',
      port: undefined,
      minimums: {},
      isOfAnother: false,
      configEntries: ['postgresql.conf', 'pg_hba.conf', 'conf.d'],
      ...changes,
    },
    missing: [],
  },
})
const now = new Date('2026-11-20T03:15:00Z')
const text = (result: Partial<RestoreResult>, screen = {}) =>
  restoreText({ plan, dryRun: false, notes: [], ...result }, aScreen(screen))

describe('the plan of a restore', () => {
  it('tells backup, moment, WAL, room and place', () => {
    const said = planText(plan, now)
    for (const fact of [
      backup.id,
      'PostgreSQL 15.18',
      '3 segments to replay, 48.0 MB',
      '5 minutes ago',
      '1.0 GB free in /srv',
      'staging, port 5433',
    ])
      expect(said).toContain(fact)
  })

  it('tells where the WAL is broken, and that there is too little room', () => {
    const gap = {
      after: undefined,
      missing: '0000000100000000000000AA',
      next: undefined,
      reason: 'it is missing',
    }
    const room = [{ place: '/srv', needed: 2 ** 31, free: 2 ** 30 }]
    const said = planText({ ...plan, room, recovery: { ...recovery, gap } }, now)
    expect(said).toContain('nothing after it: 0000000100000000000000AA: it is missing')
    expect(said).toContain('too little')
  })

  it('of a directory tells what will be switched off, or that nothing will', () => {
    expect(planText(intoDirectory('/srv/main'), now)).toContain('archive_mode')
    expect(planText(intoDirectory('/srv/main', { switchedOff: undefined }), now)).toContain(
      'nothing: --as-production',
    )
  })

  it('has nothing that a terminal would obey', () => {
    const { server } = recordOf(backup)
    const nasty = { ...theBackup({ server: { ...server, host: commandsOfTerminals } }), snapshot }
    expect(hasCommands(planText({ ...plan, backup: nasty }, now))).toBe(false)
  })
})

describe('a finished restore', () => {
  it('tells how to connect', () => {
    const said = text({ instance, port: 5433 })
    expect(said).toContain('Instance staging is running')
    expect(said).toContain('psql -h /srv/pg/data/instances/staging/run -p 5433 -U focker app')
    expect(said).toMatch(/Stop +pgbk instance stop staging -C \/srv\/pg$/m)
    expect(said).toMatch(/Remove +pgbk instance delete staging -C \/srv\/pg$/m)
  })

  it('tells how to start what is not started', () => {
    expect(text({ instance })).toContain('pgbk instance start staging -C /srv/pg')
  })

  it('says nothing when it is to be quiet', () => expect(text({ instance }, { quiet: true })).toBe(''))

  it('of a directory tells how to take the block out, and what to look at', () => {
    const said = text({ plan: intoDirectory("/srv/it's"), notes: ['a note'] })
    expect(said).toContain(
      `sed -i '/^# pgbk restore: begin/,/^# pgbk restore: end/d' '/srv/it'\\''s/postgresql.auto.conf'`,
    )
    expect(said).toContain(`sed -i '/^# pgbk recovery: begin/`)
    expect(said).toContain('  - a note')
    expect(said).not.toContain('Debian')
  })

  it("names Debian's directory for the configuration of Debian's data directory", () => {
    const said = text({ plan: intoDirectory('/var/lib/postgresql/15/main') })
    expect(said).toContain('Start it:  pg_ctlcluster 15 main start\n')
    expect(said).toContain(
      '  cp -a /var/lib/postgresql/15/main/*.conf /var/lib/postgresql/15/main/conf.d /etc/postgresql/15/main/',
    )
  })

  it('as JSON has the instance, or the plan of a dry run', () => {
    expect(restoreJson({ plan, dryRun: false, notes: [], instance, port: 5433 })).toMatchObject({
      instance: {
        name: 'staging',
        state: 'running',
        port: 5433,
        as_of: recovery.asOf,
        directory: instance.layout.directory,
      },
    })
    expect(restoreJson({ plan: intoDirectory('/srv/main'), dryRun: true, notes: [] })).toMatchObject({
      plan: {
        name: null,
        directory: '/srv/main',
        start: false,
        switched_off: expect.arrayContaining(['archive_mode']),
      },
    })
  })
})

describe('instances', () => {
  it('are listed with their state and port', () => {
    const list = { root: '/srv/pg', instances: [instance], rejected: [], runs: [] }
    expect(instancesText(list, aScreen())).toMatch(/^staging +3 minutes +running +5433 +app$/m)
    expect(instancesText({ ...list, instances: [] }, aScreen())).toContain('There is no instance in /srv/pg')
  })

  it('that are started or stopped say how to go on', () => {
    expect(startedText(instance, aScreen())).toContain(
      'psql -h /srv/pg/data/instances/staging/run -p 5433 -U focker app',
    )
    expect(stoppedText({ instance, wasRunning: true }, aScreen())).toContain(
      'pgbk instance start staging -C /srv/pg',
    )
    const nasty = { ...instance, record: { ...instance.record, role: commandsOfTerminals } }
    expect(hasCommands(startedText(nasty, aScreen()))).toBe(false)
  })

  it('as JSON have what docs/format.md says', () => {
    expect(Object.keys(instanceJson(instance))).toEqual([
      'name',
      'backup',
      'state',
      'port',
      'pid',
      'role',
      'database',
      'server_version',
      'created_at',
      'directory',
      'log',
      'socket_directory',
    ])
  })
})
