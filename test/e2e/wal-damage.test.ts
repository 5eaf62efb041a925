import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { SegmentNotes } from '../../src/wal-archive/notes/segment-notes.js'
import { aLedger, type Ledger, write } from '../helpers/ledger.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { startReceiver } from '../helpers/receiver.js'
import { until } from '../helpers/traces.js'

interface Window {
  to: string
  gap: { missing: string; reason: string } | null
}

describe.each([
  ['raw', 'none'],
  ['compressed', 'gzip'],
  ['compressed', 'zstd'],
])('damage in the middle of an archive, in a %s segment', (_form, compress) => {
  let ledger: Ledger
  let wal: string
  let damaged: { name: string; file: string; sound: Buffer }
  const chain = () => readArchivedWal(wal, ledger.backup.record).chain
  const json = async (...args: string[]) => {
    const { stdout } = await runPgbk([...args, '--json', '-C', ledger.root], { env: ledger.server.env })
    return JSON.parse(stdout)
  }
  const listed = async (): Promise<Window> => (await json('list')).backups[0].window
  const end = ({ to, gap }: Window) => ({ to, missing: gap?.missing, reason: gap?.reason })
  const last = () => ledger.entries.at(-1)?.time ?? ''
  /** Sets bytes in the middle of what is written, in place, as a bad disk controller might. */
  function spoil(): void {
    const bytes = Buffer.from(damaged.sound)
    const middle = Math.floor(bytes.findLastIndex((byte) => byte !== 0) / 2)
    writeFileSync(join(wal, damaged.file), bytes.fill(0xa5, middle, middle + 10))
  }
  const forget = () => {
    for (const name of readdirSync(wal).filter((one) => one.startsWith('.pgbk-'))) rmSync(join(wal, name))
  }

  beforeAll(async () => {
    ledger = await aLedger({ major: anyMajor, rows: 1 })
    wal = join(ledger.backup.directory, 'wal')
    const env = { ...ledger.server.env, PGBK_WAL_COMPRESS: compress }
    const receiver = startReceiver(ledger.root, { env })
    await receiver.untilItSays(/receiving WAL/)
    await write(ledger, 30)
    const reached = await ledger.server.sql('select pg_walfile_name(pg_switch_wal())')
    const notes = () => new SegmentNotes(join(ledger.root, 'data/backup'))
    const noted = () => chain().filter((one) => notes().fitting(one).length > 0)
    await until('all is received, and noted', () => {
      const finished = chain().filter(({ form }) => form !== 'partial')
      return finished.some(({ name }) => name >= reached) && noted().length >= finished.length - 3
    })
    await receiver.end()
    const middle = noted()[Math.floor(noted().length / 2)]
    const file = middle?.file ?? ''
    expect(file.slice(24)).toBe({ none: '', gzip: '.gz', zstd: '.zst' }[compress])
    damaged = { name: middle?.name ?? '', file, sound: readFileSync(join(wal, file)) }
  }, 300_000)

  beforeEach(() => writeFileSync(join(wal, damaged.file), damaged.sound))

  it('ends the window at the same place, in the same words, for all who tell of it', async () => {
    expect(await listed()).toMatchObject({ to: last(), gap: null })
    spoil()
    const window = await listed()
    const { to, missing, reason = '-' } = end(window)
    expect([missing, reason, to < last()]).toEqual([
      damaged.name,
      expect.stringMatching(/^it is damaged: /),
      true,
    ])
    const { id } = ledger.backup.record
    expect(end((await json('show', id)).backup.window)).toEqual(end(window))
    const status = await json('status')
    expect(status.window_end).toBe(to)
    expect(JSON.stringify(status.problems)).toContain(`${damaged.name}: ${reason}`)
    const walStatus = await json('wal', 'status')
    expect(end(walStatus.archives[0].window)).toEqual(end(window))
    expect((await json('verify', id)).checks[0].faults).toEqual([
      { file: `wal/${damaged.file}`, problem: reason },
    ])
    const target = join(aDirectory('pgbk-restored-'), 'data')
    const restore = (...args: string[]) =>
      runPgbk(['restore', id, '-D', target, '--dry-run', '--json', '-C', ledger.root, ...args])
    const { error } = JSON.parse((await restore('--to-time', last(), '--exclusive')).stdout)
    expect(error.message + error.hint).toContain(reason.replace(/^it /, ''))
    expect(error.hint).toContain(damaged.name)
    const latest = await restore('--to-latest')
    expect(latest.stderr).toContain(damaged.name)
    expect(latest.stdout).toContain(to)
  }, 300_000)

  it('is told by list when verify has found it, where no notes were, until the segment is whole again', async () => {
    forget()
    spoil()
    expect(await listed()).toMatchObject({ to: last(), gap: null })
    const [fault] = (await json('verify', ledger.backup.record.id)).checks[0].faults
    expect(end(await listed())).toMatchObject({ missing: damaged.name, reason: fault.problem })
    writeFileSync(join(wal, damaged.file), damaged.sound)
    expect(await listed()).toMatchObject({ to: last(), gap: null })
  }, 300_000)

  it('is told of the last finished segment when that has changed since its window was noted', async () => {
    forget()
    expect(await listed()).toMatchObject({ to: last(), gap: null })
    const { name, file } = chain().findLast(({ form }) => form !== 'partial') ?? { name: '', file: '' }
    const sound = readFileSync(join(wal, file))
    const bytes = Buffer.from(sound)
    const middle = Math.floor(bytes.findLastIndex((byte) => byte !== 0) / 2)
    writeFileSync(join(wal, file), bytes.fill(0xa5, middle, middle + 10))
    for (const _ of [1, 2]) expect(end(await listed())).toMatchObject({ missing: name })
    writeFileSync(join(wal, file), sound)
    expect(await listed()).toMatchObject({ to: last(), gap: null })
  }, 300_000)
})
