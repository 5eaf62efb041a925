import { renameSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { type LocalBackup, layoutOf, plainSnapshotOf, recordOf } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import { idOf } from '../../src/catalog/id.js'
import type { RootLayout } from '../../src/catalog/layout.js'
import { resultOf, writeProof } from '../../src/catalog/proof.js'
import type { Settings } from '../../src/config/load.js'
import { parseConfig } from '../../src/config/schema.js'
import { holdBackup, releaseBackup } from '../../src/removal/hold.js'
import { prune } from '../../src/removal/prune.js'
import type { Candidate, RetentionPolicy } from '../../src/retention/retention.js'
import { formatLsn, segmentName } from '../../src/wal-segments/lsn.js'
import { aBackup, aContext, anEmptyRoot, aProof } from '../catalog/samples.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { aCandidate } from '../retention/histories.js'
import { brokenPromises } from '../retention/promises.js'

const policy: RetentionPolicy = { daily: 7, weekly: 4, monthly: 3, on_demand: 2, min: 3, window: '10 days' }
const timeZone = 'Europe/Berlin'

/** From the middle of March on: over the beginning of summer time, and all failures of July; `npm run test:long` goes on for longer. */
const days = roundsOf(70) * 2
const firstDay = Date.parse('2026-03-12T05:00:00Z')

function settingsFor(root: string): Settings {
  const { value } = parseConfig({ retention: policy, time_zone: timeZone })
  return { ...value, root } as Settings
}

function candidate(backup: LocalBackup): Candidate {
  const { summary } = backup
  return aCandidate(summary.started_at, {
    id: backup.id,
    kind: summary.kind,
    whole: backup.state === 'whole',
    check: resultOf(backup.proof),
    cluster: recordOf(backup).server.system_identifier,
    window: { from: Date.parse(summary.finished_at) },
    protectedBy: backup.hold ? [{ rule: 'held' }] : [],
  })
}

/** What a day brings besides the prune. */
async function aDay(root: RootLayout, now: Date, draw: (limit: number) => number): Promise<void> {
  const settings = settingsFor(root.root)
  const context = aContext({ now: () => now })
  const make = (time: Date, kind: 'scheduled' | 'on-demand') => {
    const started_at = time.toISOString()
    // A segment a minute.
    const start = BigInt(Math.floor(time.getTime() / 60_000)) * 2n ** 24n
    const { wal } = aBackup(root, idOf(time), {
      start_lsn: formatLsn(start + 0x28n),
      checkpoint_lsn: formatLsn(start + 0x60n),
      stop_lsn: formatLsn(start + 0x138n),
      kind,
      started_at,
      finished_at: new Date(time.getTime() + 900_000).toISOString(),
    })
    renameSync(join(wal, segmentName(1, 3n, 2 ** 24)), join(wal, segmentName(1, start >> 24n, 2 ** 24)))
  }
  // One in six fails; for three weeks in summer all do.
  const month = now.getUTCMonth()
  if (draw(6) > 0 && !(month === 6 && now.getUTCDate() < 22))
    make(new Date(now.getTime() - 7_200_000), 'scheduled')
  if (draw(10) === 0) make(new Date(now.getTime() - 3_600_000 - draw(600) * 1000), 'on-demand')
  const { backups } = readCatalog(root.root)
  const any = backups[draw(backups.length || 1)]
  if (!any) return
  if (draw(8) === 0) await holdBackup(any.id, {}, { settings, context })
  const held = backups.filter(({ hold }) => hold)
  if (draw(6) === 0 && held[0]) await releaseBackup(held[0].id, { settings, context })
  if (draw(5) === 0) {
    const ok = draw(3) > 0
    const finished_at = now.toISOString()
    await writeProof(layoutOf(any), aProof({ backup: any.id, finished_at, ok }))
  }
  if (draw(60) === 0 && any.state === 'whole')
    renameSync(
      join(plainSnapshotOf(any).data, 'backup_label'),
      join(plainSnapshotOf(any).data, 'backup_label.old'),
    )
}

it(`keeps every promise for ${days} days of daily backups (PGBK_TEST_SEED=${seed})`, async () => {
  const root = anEmptyRoot()
  const numbers = randomNumbers(20_000, 2 ** 30, 'year')
  const draw = (limit: number) => (numbers.pop() ?? 0) % limit
  let pruned = 0
  let longest = 0
  for (let day = 0; day < days; day++) {
    const now = new Date(firstDay + day * 86_400_000 + draw(3000) * 1000)
    await aDay(root, now, draw)
    if (draw(4) === 0) continue
    const all = readCatalog(root.root).backups.map(candidate)
    const result = await prune(
      { yes: true },
      { settings: settingsFor(root.root), context: aContext({ now: () => now }) },
    )
    const after = readCatalog(root.root)
    const stays = new Set(after.backups.map(({ id }) => id))
    expect([day, ...brokenPromises({ all, stays, policy, now, timeZone })]).toEqual([day])
    expect(result.pruned.map(({ backup }) => backup.id)).toEqual(
      all.filter(({ id }) => !stays.has(id)).map(({ id }) => id),
    )
    expect(after.rejected).toEqual([])
    pruned += result.pruned.length
    longest = Math.max(longest, stays.size)
  }
  expect(pruned).toBeGreaterThan(days * 0.4)
  // Held and used ones pile up; all else is bounded by the policy.
  expect(longest).toBeLessThan(80)
}, 300_000)
