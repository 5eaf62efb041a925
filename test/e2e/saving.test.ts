import { rmSync } from 'node:fs'
import { beforeAll, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { aBackupOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { atEnd } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { aServer, type TestServer } from '../helpers/server.js'

let server: TestServer
let first: MadeBackup
const told = /5 plain backups take (\S+ .B); packed they would take about (\S+ .B)/
const pgbk = (...args: string[]) =>
  runPgbk([...args, '-C', first.root], { env: { ...server.env, HOME: first.root } })
const check = async (name: string) => {
  const { stdout } = await pgbk('doctor', '--json')
  return JSON.parse(stdout).checks.find((one: { name: string }) => one.name === name)
}
const megabytes = (text: string) => Number(/([\d.]+) MB/.exec(text)?.[1])

beforeAll(async () => {
  server = await aServer({ major: anyMajor })
  first = await aBackupOf(server)
  for (const day of ['1', '2', '3']) await aTwinOf(first, `2026010${day}T030000Z`)
}, 120_000)

it('few plain backups are no matter, neither for list nor for doctor', async () => {
  expect((await pgbk('list')).stdout).not.toContain('packed')
  expect(await check('plain backups')).toBeUndefined()
  expect(first.record.pack_saves).toBeUndefined()
}, 120_000)

it('many are told of, with what they would take packed', async () => {
  const { record } = await aBackupOf(server, { root: first.root })
  expect(record.pack_saves).toBeGreaterThan(record.size_bytes / 3)
  const [, full = '', packed = ''] = told.exec((await pgbk('list')).stdout) ?? []
  const found = await check('plain backups')
  expect(found).toMatchObject({ status: 'ok', remedy: expect.stringContaining('pack_after: 2 days') })
  const [, fullToo, packedToo = ''] =
    /^5 take (.*); packed they would take about (.*)$/.exec(found.text) ?? []
  expect(fullToo).toBe(full)
  expect(megabytes(packedToo)).toBeCloseTo(megabytes(packed), -1.5)
  const planned = { env: { PGBK_RETENTION_PACK_AFTER: '2 days' } }
  expect((await runPgbk(['list', '-C', first.root], planned)).stdout).not.toContain('packed')
}, 120_000)

it('what was estimated is what packing really saves, about', async () => {
  const { stdout } = await pgbk('list', '--json')
  const [{ id, pack_saves, size_bytes }] = JSON.parse(stdout).backups
  const packed = JSON.parse((await pgbk('pack', id, '--json')).stdout).backup
  expect(packed.pack_saves).toBeUndefined()
  const saved = size_bytes - packed.own_bytes
  expect(pack_saves / saved).toBeGreaterThan(0.75)
  expect(pack_saves / saved).toBeLessThan(1.1)
  expect((await pgbk('list')).stdout).not.toContain('they would take')
}, 120_000)

needs('root', 'loop devices').it(
  'doctor tells how to have reflinks, in commands that work',
  async () => {
    const { text, remedy } = await check('shared blocks')
    const [, full = '', thin = ''] =
      /^none: 4 backups take (.*); on a file .* about (.*) in all$/.exec(text) ?? []
    expect(megabytes(thin)).toBeLessThan(megabytes(full) / 3)
    const commands = remedy.split('\n').filter((line: string) => line.startsWith('  '))
    const place = `${first.root}-xfs`
    atEnd(() => {
      execaSync('umount', ['--lazy', '--detach-loop', place], { reject: false })
      for (const made of [place, `${first.root}.xfs`]) rmSync(made, { recursive: true, force: true })
    })
    execaSync('sh', ['-ec', `PATH=$PATH:/usr/sbin:/sbin\n${commands.join('\n')}`])
    for (const _ of ['the first', 'the second']) await aBackupOf(server, { root: place })
    const { stdout } = await runPgbk(['list', '--json', '-C', place])
    const [{ id, shared, size_bytes }] = JSON.parse(stdout).backups
    expect(shared.bytes).toBeGreaterThan(size_bytes / 3)
    const packed = await runPgbk(['pack', id, '-C', place])
    expect(packed.stdout).toMatch(
      /^Packed \S+: \S+ MB instead of \S+ MB; it shared blocks with others, which stay: \S+ [kM]B (more|less) are free now\.$/m,
    )
  },
  120_000,
)
