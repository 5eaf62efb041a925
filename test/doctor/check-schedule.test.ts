import { expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { checkSchedule } from '../../src/doctor/check-schedule.js'
import { crontabLine, entriesIn } from '../../src/schedule/entry.js'
import { aBackup, aContext, anEmptyRoot } from '../catalog/samples.js'

/** What doctor says of a line that has made its last backup on 14 November at 03:00 UTC. */
function scheduleOf(when: string, today: string, program = process.execPath) {
  const root = anEmptyRoot()
  const time = '2026-11-14T03:00:00.000Z'
  aBackup(root, '20261114T030000Z', { kind: 'scheduled', started_at: time, finished_at: time })
  const words = `${program} /usr/bin/env create --scheduled --prove --quiet && x prune --yes`
  const [entry] = entriesIn(crontabLine(when, words, root.root))
  const context = aContext({ now: () => new Date(today) })
  return checkSchedule({ entry, problem: undefined }, readCatalog(root.root), context)[0]
}

it('a schedule that should have run since its last backup is something to look at', () => {
  expect(scheduleOf('0 3 * * *', '2026-11-15T04:00:00Z')).toMatchObject({ status: 'ok' })
  expect(scheduleOf('0 3 * * *', '2026-11-21T04:00:00Z')).toMatchObject({
    status: 'warning',
    text: expect.stringContaining('it ran last at 2026-11-14 03:00:00 UTC, and should have since'),
  })
  expect(scheduleOf('0 3 * * 6', '2026-11-21T04:00:00Z')).toMatchObject({ status: 'ok' })
  expect(scheduleOf('0 3 * * 6', '2026-11-22T04:00:00Z')).toMatchObject({ status: 'warning' })
})

it('a line whose program is gone is written again with its own times', () =>
  expect(scheduleOf('5 4 * * 0', '2026-11-15T04:00:00Z', '/nowhere/node')).toMatchObject({
    status: 'warning',
    remedy: 'Write it again:\n  pgbk schedule --weekly sun 04:05 --prove',
  }))
