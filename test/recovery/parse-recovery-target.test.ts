import { describe, expect, it } from '@jest/globals'
import type { Settings } from '../../src/config/load.js'
import type { Context } from '../../src/context.js'
import { silentProgress } from '../../src/progress.js'
import { parseRecoveryTarget, type TargetOptions } from '../../src/recovery/parse-recovery-target.js'
import { thrownBy } from '../catalog/samples.js'

const said: string[] = []
const context = {
  now: () => new Date('2026-11-20T16:00:00Z'),
  progress: { ...silentProgress, say: (text: string) => said.push(text) },
  ask: undefined,
} as unknown as Context

function target(options: TargetOptions, { zoneNeeded = false, zone = 'Europe/Berlin' } = {}) {
  const settings = { time_zone: zone } as Settings
  return parseRecoveryTarget(options, { fallback: { kind: 'latest' }, zoneNeeded }, { settings, context })
}

describe('a recovery target', () => {
  it.each([
    [{}, { kind: 'latest' }],
    [{ toSnapshot: true }, { kind: 'snapshot' }],
    [{ toTime: '10 minutes ago' }, { kind: 'time', time: '2026-11-20T15:50:00.000000Z' }],
    [{ toTime: '2026-11-20 16:00:00+01' }, { kind: 'time', time: '2026-11-20T15:00:00.000000Z' }],
    [{ toLsn: '16/b374d848' }, { kind: 'lsn', lsn: '16/B374D848' }],
    [{ toXid: '00731' }, { kind: 'xid', xid: '731' }],
    [{ toXid: '4294968027' }, { kind: 'xid', xid: '731' }],
    [{ toName: "it's a name " }, { kind: 'name', name: "it's a name " }],
  ] as [TargetOptions, object][])('of %j is the point %j', (options, point) => {
    expect(target(options).point).toEqual(point)
  })

  it('keeps what else was said', () => {
    expect(target({ toXid: '5', exclusive: true, pause: true, timeline: 3 })).toEqual({
      point: { kind: 'xid', xid: '5' },
      exclusive: true,
      pause: true,
      timeline: 3,
    })
  })

  it('reads a time without a zone by the configured one, and says so; but not where it is needed', async () => {
    said.length = 0
    expect(target({ toTime: '2026-11-20 12:00' }).point).toEqual({
      kind: 'time',
      time: '2026-11-20T11:00:00.000000Z',
    })
    expect(said.join()).toMatch(/2026-11-20 12:00 is taken as local time in Europe\/Berlin/)
    const error = await thrownBy(() => target({ toTime: '2026-11-20 12:00' }, { zoneNeeded: true }))
    expect(error).toMatchObject({ code: 'usage', hint: expect.stringContaining('2026-11-20T11:00:00Z') })
  })

  it.each([
    [{ toTime: '2026-01-01T00:00Z', toLatest: true }, /more than one recovery target/],
    [{ toLatest: true, exclusive: true }, /--exclusive needs/],
    [{ toSnapshot: true, pause: true }, /--pause needs a recovery target/],
    [{ toLsn: '0/XYZ' }, /"0\/XYZ" is not an LSN/],
    [{ toXid: '-1' }, /"-1" is not a transaction id/],
    [{ toTime: 'noonish' }, /is not a time/],
    [{ toTime: '2026-02-30T00:00Z' }, /is not a time/],
  ] as [TargetOptions, RegExp][])('of %j is refused', async (options, reason) => {
    expect(await thrownBy(() => target(options))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(reason),
    })
  })
})
