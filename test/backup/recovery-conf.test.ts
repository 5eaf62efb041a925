import { describe, expect, it } from '@jest/globals'
import { confLines, type RecoveryInput, recoverySettings } from '../../src/backup/recovery-conf.js'

const input: RecoveryInput = {
  archives: [{ directory: '/srv/pg/wal', from: 0n }],
  timeline: 3,
  lastSegment: 9n,
  segmentSize: 16 * 2 ** 20,
  stop: { lsn: '0/3000028', inclusive: true },
  minimums: { max_connections: 200 },
  action: 'promote',
}

describe('the settings of a recovery', () => {
  it('name one target, its timeline, and what to do there', () => {
    expect(recoverySettings(input)).toEqual({
      restore_command: expect.stringMatching(/d=\/srv\/pg\/wal; .*"\$d\/%f\.partial"/),
      recovery_target_lsn: '0/3000028',
      recovery_target_inclusive: 'on',
      recovery_target_timeline: '3',
      recovery_target_action: 'promote',
      hot_standby: 'on',
      max_connections: '200',
    })
  })

  it.each([
    ["/it's", `'/it'\\''s'`],
    ['/100%/%p', '/100%%/%%p'],
    ['/a b', `'/a b'`],
  ])('find the archive %j', (archive, expected) => {
    expect(
      recoverySettings({ ...input, archives: [{ directory: archive, from: 0n }] }).restore_command,
    ).toContain(`d=${expected};`)
  })

  it('are lines that PostgreSQL reads', () => {
    expect(confLines({ a: "it's", b: 'back\\slash' })).toBe("a = 'it''s'\nb = 'back\\\\slash'\n")
  })
})
