import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, fileIn, type MadeBackup } from '../helpers/backup.js'
import { oldestAndNewest } from '../helpers/programs.js'
import {
  aServer,
  aStandbyOf,
  fill,
  filledAnswer,
  filledRows,
  openSnapshot,
  type TestServer,
  verifies,
} from '../helpers/server.js'

async function hasCaughtUp(standby: TestServer, primary: TestServer): Promise<void> {
  const reached = await primary.sql('select pg_current_wal_flush_lsn()')
  const question = `select pg_last_wal_replay_lsn() >= '${reached}'`
  while ((await standby.sql(question)) !== 't') await sleep(50)
}

function archived({ directory }: MadeBackup): string[] {
  return readdirSync(join(directory, 'wal')).sort()
}

describe.each(oldestAndNewest)('a backup from a standby of PostgreSQL %i', (major) => {
  let primary: TestServer
  let backup: MadeBackup
  beforeAll(async () => {
    primary = await aServer({ major })
    await fill(primary)
    const standby = await aStandbyOf(primary)
    await primary.sql('create table late as select generate_series(1, 10) as n; checkpoint')
    await hasCaughtUp(standby, primary)
    backup = await aBackupOf(standby)
  })

  it('verifies, and its record says where it came from', async () => {
    expect(await verifies(backup.snapshot, major)).toBe(true)
    expect(backup.record.server.in_recovery).toBe(true)
    expect(backup.record.verified).toBe(true)
    expect(backup.stderr).toContain('a standby')
    expect(fileIn(backup, 'data/backup_label')).toContain('BACKUP FROM: standby')
  })

  it('keeps its last segment as .partial, because only padding fills it', () => {
    const segments = archived(backup)
    expect(segments.at(-1)).toMatch(/^[0-9A-F]{24}\.partial$/)
    expect(segments.filter((name) => name.endsWith('.partial'))).toHaveLength(1)
  })

  it('opens as a read-write database of its own with all rows', async () => {
    const copy = await openSnapshot(backup.snapshot, major)
    expect(await copy.sql('select pg_is_in_recovery(); show primary_conninfo')).toBe('f\n')
    expect(await copy.sql(filledRows, 'app')).toBe(filledAnswer)
    expect(await copy.sql('insert into ledger values (1001); select count(*) from ledger', 'app')).toBe(
      '1001',
    )
    await copy.stop()
  })

  it('has complete segments only when it is made from the primary', async () => {
    const fromPrimary = await aBackupOf(primary)
    expect(fromPrimary.record.server.in_recovery).toBe(false)
    expect(archived(fromPrimary).length).toBeGreaterThan(0)
    expect(archived(fromPrimary).filter((name) => !/^[0-9A-F]{24}$/.test(name))).toEqual([])
  })
})
