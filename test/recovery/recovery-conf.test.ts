import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { type RecoveryInput, recoverySettings } from '../../src/recovery/recovery-conf.js'
import { confLines } from '../../src/snapshot/conf/conf-line.js'
import { aDirectory } from '../helpers/places.js'

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

  it('find each part of the WAL in its archive, and histories in any', async () => {
    const [own, later, target] = [aDirectory(), aDirectory("it's %later "), join(aDirectory(), 'there')]
    const segment = (digit: number) => `00000003000000000000000${digit}`
    const put = (directory: string, name: string) => writeFileSync(join(directory, name), directory)
    for (const digit of [4, 5, 6]) put(own, segment(digit))
    for (const digit of [5, 6, 7]) put(later, segment(digit))
    put(later, '00000003.history')
    const archives = [own, later].map((directory, index) => ({ directory, from: [0n, 6n][index] ?? 0n }))
    const { restore_command = '' } = recoverySettings({ ...input, archives, lastSegment: 7n })
    const restored = async (name: string) => {
      rmSync(target, { force: true })
      const command = restore_command.replaceAll('%f', name).replaceAll('%p', target).replaceAll('%%', '%')
      const { exitCode } = await execa('sh', ['-c', command], { reject: false })
      return exitCode === 0 ? readFileSync(target, 'utf8') : exitCode
    }
    const names = [...[4, 5, 6, 7, 8].map(segment), '00000003.history', '00000004.history']
    const found = []
    for (const name of names) found.push(await restored(name))
    expect(found).toEqual([own, own, later, later, 1, later, 1])
  })

  it('are lines that PostgreSQL reads', () => {
    expect(confLines({ a: "it's", b: 'back\\slash' })).toBe("a = 'it''s'\nb = 'back\\\\slash'\n")
  })
})
