import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { cronEnvironment } from '../../src/schedule/crontab.js'
import { keptBy } from '../../src/schedule/schedule.js'
import { calendarEvent, crontabFields, parseTimes } from '../../src/schedule/times.js'
import { thrownBy } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'

describe('the times of a schedule', () => {
  needs('program systemd-analyze').it.each([
    ['03:00', 'day', '0 3 * * *', '*-*-* 03:00:00'],
    ['23:59', 'day', '59 23 * * *', '*-*-* 23:59:00'],
    ['0:05', 'day', '5 0 * * *', '*-*-* 00:05:00'],
    ['sun 03:00', 'week', '0 3 * * 0', 'Sun *-*-* 03:00:00'],
    ['Saturday 4:30', 'week', '30 4 * * 6', 'Sat *-*-* 04:30:00'],
    ['tue 12:00', 'week', '0 12 * * 2', 'Tue *-*-* 12:00:00'],
  ] as const)('%s of a %s are %s for cron, and %s for systemd', (text, every, fields, event) => {
    const times = parseTimes(text, every)
    expect([crontabFields(times), calendarEvent(times)]).toEqual([fields, event])
    const { stdout } = execaSync('systemd-analyze', ['calendar', event])
    expect(/Normalized form: (.*)/.exec(stdout)?.[1]).toBe(event)
  })

  it.each([
    ['24:00', 'day'],
    ['3', 'day'],
    ['03:60', 'day'],
    ['sun 03:00', 'day'],
    ['03:00', 'week'],
    ['someday 03:00', 'week'],
    ['', 'day'],
  ] as const)('are not %j of a %s', async (text, every) =>
    expect(await thrownBy(() => parseTimes(text, every))).toMatchObject({ code: 'usage' }),
  )
})

describe('how many backups a schedule keeps', () => {
  const daily = parseTimes('03:00', 'day')
  const weekly = parseTimes('sun 03:00', 'week')
  it.each([
    [{ daily: 7, on_demand: 3, min: 2 }, daily, 11],
    [{ daily: 1, min: 5 }, daily, 6],
    [{ window: '14 days' }, daily, 16],
    [{ window: '14 days' }, weekly, 4],
    [{ on_demand: 3 }, daily, undefined],
    [{ min: 3 }, daily, undefined],
    [undefined, daily, undefined],
  ])('by %j', (policy, times, count) => expect(keptBy(policy, times)).toBe(count))
})

describe('the environment of cron', () => {
  const user = { uid: 1, gid: 1, name: 'me', home: '/home/me' }
  it('is four variables', () =>
    expect(cronEnvironment(user, '# PATH=/x\n0 3 * * * A=1 true\n')).toEqual({
      HOME: '/home/me',
      LOGNAME: 'me',
      SHELL: '/bin/sh',
      PATH: '/usr/bin:/bin',
    }))
  it('and what the crontab sets', () =>
    expect(cronEnvironment(user, 'PATH = "/opt/pg/bin:/bin"\n"A"=\'b c\'\nLOGNAME=root\n')).toMatchObject({
      PATH: '/opt/pg/bin:/bin',
      A: 'b c',
      LOGNAME: 'me',
    }))
})
