import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { minimumsIn, recoverySettings } from '../../../src/recovery/recovery-conf.js'
import { lastingSettings } from '../../../src/restore/directory/conf/lasting-settings.js'
import { snapshotConf } from '../../../src/snapshot/conf/conf.js'
import { settingProblem } from '../../../src/snapshot/conf/conf-rules.js'
import {
  highestOf,
  minimumLines,
  minimumsAmong,
  recoveryMinimums,
} from '../../../src/snapshot/conf/minimums.js'
import { aDirectory } from '../../helpers/places.js'

describe('what start-up needs at least', () => {
  it('is read from settings, without what is no such value', () => {
    const said: [string, string][] = [
      ['max_connections', '7'],
      ['track_commit_timestamp', 'on'],
      ['max_wal_senders', '5x'],
      ['work_mem', '4096'],
    ]
    expect(minimumsAmong(said)).toEqual({ max_connections: 7, track_commit_timestamp: 1 })
  })

  it('is the highest that is known', () => {
    expect(highestOf({ a: 1, b: 5 }, { a: 3, c: 0 }, {})).toEqual({ a: 3, b: 5, c: 0 })
  })

  it('is written as a configuration that says the same again', () => {
    const names = recoveryMinimums.filter((name) => name !== 'autovacuum_max_workers')
    const minimums = Object.fromEntries(names.map((name, index) => [name, index + 20]))
    const values = { ...minimums, track_commit_timestamp: 1 }
    const confDirectory = aDirectory()
    writeFileSync(join(confDirectory, 'postgresql.conf'), minimumLines(values).join('\n'))
    expect(minimumsIn(confDirectory)).toEqual(values)
    for (const line of minimumLines(values)) {
      const [name = '', value = ''] = line.split(' = ')
      expect(settingProblem(name, value)).toBeUndefined()
    }
  })

  it('leaves connections for others than superusers, without which no server starts', () => {
    const settings = { max_connections: '2' }
    const input = { id: 'x', major: 15, customSettings: {}, walSegmentSize: 1 << 24, minimums: {} }
    expect(snapshotConf({ ...input, settings, inPlaceTablespaces: false })).toMatch(/^max_connections = 10$/m)
  })

  it('counts the workers of autovacuum, or from 18 on the slots for them, no fewer than it may have', () => {
    const workers = ['autovacuum_max_workers', '2'] as const
    expect(minimumsAmong([workers])).toEqual({ autovacuum_max_workers: 2 })
    const minimums = minimumsAmong([workers, ['autovacuum_worker_slots', '2']])
    expect(minimums).toEqual({ autovacuum_worker_slots: 2 })
    expect(minimumLines(minimums)).toEqual(['autovacuum_worker_slots = 3'])
  })

  it('is told to a recovery in words that PostgreSQL understands', () => {
    const stop = { lsn: '0/3000000', inclusive: true }
    const common = {
      archives: [{ directory: '/wal', from: 0n }],
      timeline: 1,
      stop,
      lastSegment: 3n,
      segmentSize: 1 << 24,
      action: 'promote' as const,
    }
    const minimums = { track_commit_timestamp: 1, max_connections: 50 }
    expect(recoverySettings({ ...common, minimums })).toMatchObject({
      track_commit_timestamp: 'on',
      max_connections: '50',
    })
  })
})

describe('what a server needs at every start, in its own configuration', () => {
  const lasting = (minimums: Record<string, number>, found: [string, string[]][] = []) =>
    lastingSettings(minimums, new Map(found))
      .text.split('\n')
      .filter((line) => /^\w+ =/.test(line))

  it.each([
    [{ max_replication_slots: 10, track_commit_timestamp: 0, max_connections: 900 }, [], []],
    [{ max_replication_slots: 30 }, [], ["max_replication_slots = '30'"]],
    [{ max_replication_slots: 30 }, [['max_replication_slots', ['30']]], []],
    [
      { max_replication_slots: 30 },
      [['max_replication_slots', ['40', '20']]],
      ["max_replication_slots = '30'"],
    ],
    [{ track_commit_timestamp: 1 }, [['track_commit_timestamp', ['on']]], []],
    [
      { track_commit_timestamp: 1 },
      [['track_commit_timestamp', ['maybe']]],
      ["track_commit_timestamp = 'on'"],
    ],
    [{ max_prepared_transactions: 5 }, [], ["max_prepared_transactions = '5'"]],
  ] as [Record<string, number>, [string, string[]][], string[]][])(
    'of %j beside %j is %j',
    (minimums, found, lines) => expect(lasting(minimums, found)).toEqual(lines),
  )
})
