import { createHmac } from 'node:crypto'
import { existsSync, lstatSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { fileIdentity, type SegmentNote, SegmentNotes } from '../../src/wal-archive/notes/segment-notes.js'
import { aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { aLedger, answerAt, type Entry, type Ledger, ledgerQuery, write } from '../helpers/ledger.js'
import { failureOf, localRun } from '../helpers/local-run.js'
import { runPgbk } from '../helpers/pgbk.js'
import { anyMajor, run } from '../helpers/programs.js'
import { startReceiver } from '../helpers/receiver.js'
import { aRoot } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

const name = '.pgbk-segments'
const ask = ['--dbname', 'app', '--', 'psql', '-XAtc', ledgerQuery]

let ledger: Ledger
beforeAll(async () => {
  ledger = await aLedger({ major: anyMajor, rows: 1 })
  const receiver = startReceiver(ledger.root, { env: ledger.server.env })
  await receiver.untilItSays(/receiving WAL/)
  await write(ledger, 28)
  // One that ends with a switch is noted like others.
  for (let count = 0; count < 4; count++) {
    await ledger.server.sql('select pg_switch_wal()')
    await write(ledger, 1)
  }
  const reached = await ledger.server.sql('select pg_walfile_name(pg_switch_wal())')
  const names = () => readdirSync(walOf(ledger.backup))
  await until('all is received, and noted', () => {
    const isLast = names().some((one) => one.startsWith(reached) && !one.endsWith('.partial'))
    const raw = names().filter((one) => /^[0-9A-F]{24}$/.test(one))
    return isLast && raw.length === 1 && known(ledger.backup) >= finished(ledger.backup) - 3
  })
  await receiver.end()
})

const walOf = ({ directory }: MadeBackup) => join(directory, 'wal')
const archiveOf = (backup: MadeBackup) => readArchivedWal(walOf(backup), backup.record)
const backupsOf = ({ root }: MadeBackup) => join(root, 'data/backup')
const finished = (backup: MadeBackup) =>
  archiveOf(backup).chain.filter(({ form }) => form !== 'partial').length
const known = (backup: MadeBackup) =>
  new SegmentNotes(backupsOf(backup))
    .factsOf(archiveOf(backup), backup.record.server.system_identifier)
    .filter((one) => one !== undefined).length

/** Changes the notes of a backup, and signs them as its root does. */
function change(backup: MadeBackup, work: (note: SegmentNote) => SegmentNote): void {
  const file = join(walOf(backup), name)
  const key = Buffer.from(readFileSync(join(backupsOf(backup), '.segment-notes.key'), 'utf8').trim(), 'hex')
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
  const changed = lines.map((line) => {
    const text = JSON.stringify(work(JSON.parse(line.slice(65))))
    return `${createHmac('sha256', key).update(text).digest('hex')} ${text}\n`
  })
  writeFileSync(file, changed.join(''))
}

/** As whoever copies an archive would have them who could set all times, the inode too. */
function asOf(backup: MadeBackup): void {
  const files = new Map(archiveOf(backup).chain.map(({ name: one, file }) => [one, file]))
  change(backup, (note) => ({
    ...note,
    file: fileIdentity(join(walOf(backup), files.get(note.name) ?? '')) ?? '',
  }))
}

let copies = 0
/** A copy of the backup whose notes count. */
async function aNotedTwin(): Promise<MadeBackup> {
  copies++
  const twin = await aTwinOf(ledger.backup, `2026010${copies}T000000Z`)
  asOf(twin)
  expect(known(twin)).toBe(known(ledger.backup))
  return twin
}

/** The same in a root of its own, where no other archive has a sound copy; with the key that has signed its notes. */
async function aloneIn(root: string, twin: MadeBackup): Promise<MadeBackup> {
  const script = `mkdir -p "$2/data/backup" && chown -R --reference="$2" "$2/data" && mv "$1" "$2/data/backup/" &&
    cp -a "$3/.segment-notes.key" "$2/data/backup/"`
  await run(['sh', '-c', script, 'sh', twin.directory, root, backupsOf(twin)])
  const directory = join(root, 'data/backup', twin.record.id)
  const moved = { ...twin, root, directory, snapshot: join(directory, 'snapshot') }
  asOf(moved)
  return moved
}

const entryAt = (index: number) => ledger.entries.at(index) as Entry
const toTime = (backup: MadeBackup, { time }: Entry) => [backup.record.id, '--to-time', time, ...ask]

const toLast = ({ record }: MadeBackup) => [record.id, '--to-time', entryAt(-1).time, '--exclusive']

describe('what a receiver notes of the segments that it has finished', () => {
  it('is closed to others, and lets nothing be read of an archive but its ends', async () => {
    const file = join(walOf(ledger.backup), name)
    expect([
      lstatSync(file).mode & 0o777,
      existsSync(join(ledger.root, 'data/backup/.segment-notes.key')),
    ]).toEqual([0o600, true])
    for (const entry of [entryAt(5), entryAt(-1)])
      expect((await localRun(ledger.root, toTime(ledger.backup, entry))).stdout).toBe(answerAt(entry.n))
  })

  it('is right by what verify reads', async () => {
    const before = readFileSync(join(walOf(ledger.backup), name))
    const { status, stderr } = await runPgbk(['verify', '-C', ledger.root, ledger.backup.record.id])
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringMatching(/notes/) })
    expect(readFileSync(join(walOf(ledger.backup), name)).equals(before)).toBe(true)
  })

  it('does not count when it is changed, or in another root', async () => {
    const twin = await aNotedTwin()
    const file = join(walOf(twin), name)
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/"newest":"\d+/g, '"newest":"1999'))
    expect(known(twin)).toBe(0)
    expect((await localRun(ledger.root, toTime(twin, entryAt(9)))).stdout).toBe(answerAt(entryAt(9).n))
  })
})

describe('notes that are signed and wrong', () => {
  it('lead to no other moment when they hide ends of transactions: all is read then', async () => {
    const twin = await aNotedTwin()
    change(twin, (note) => ({ ...note, facts: { ...note.facts, newest: null } }))
    expect((await localRun(ledger.root, toTime(twin, entryAt(9)))).stdout).toBe(answerAt(entryAt(9).n))
    expect(known(twin)).toBe(0)
  })

  it('are found by verify, which makes them anew, and are no fault of the backup', async () => {
    const twin = await aNotedTwin()
    const right = known(twin)
    change(twin, (note) => ({ ...note, facts: { ...note.facts, newest: '2020-01-01T00:00:00.000000Z' } }))
    const { status, stderr } = await runPgbk(['verify', '-C', ledger.root, twin.record.id])
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/notes about WAL segments of \S+ were wrong/),
    })
    expect(known(twin)).toBeGreaterThanOrEqual(right - 1)
    expect((await localRun(ledger.root, toTime(twin, entryAt(9)))).stdout).toBe(answerAt(entryAt(9).n))
  })
})

describe.each(['compressed', 'raw'])(
  'a %s segment whose bits have flipped, and whose file looks as it was noted',
  (form) => {
    async function aRottenTwin(): Promise<{ twin: MadeBackup; segment: string; damage: string }> {
      const twin = await aloneIn(await aRoot(), await aNotedTwin())
      const { chain } = archiveOf(twin)
      const index = Math.floor(chain.length / 2)
      const segment = chain[index]
      const gzip = join(walOf(twin), segment?.file ?? '')
      const path = form === 'raw' ? join(walOf(twin), segment?.name ?? '') : gzip
      const bytes = form === 'raw' ? gunzipSync(readFileSync(gzip)) : readFileSync(gzip)
      rmSync(gzip)
      bytes.fill(0xa5, bytes.length >> 1, (bytes.length >> 1) + 3)
      writeFileSync(path, bytes)
      const file = join(walOf(twin), name)
      const notes = readFileSync(file)
      rmSync(file)
      // As it is told where nothing is noted.
      const plain = await failureOf(twin.root, toLast(twin))
      writeFileSync(file, notes)
      asOf(twin)
      return { twin, segment: segment?.name ?? '', damage: `${plain.code} ${plain.message} ${plain.hint}` }
    }

    it('is told in the words of one that was read', async () => {
      const { twin, segment, damage } = await aRottenTwin()
      expect(damage).toContain(segment)
      const { code, message, hint } = await failureOf(twin.root, toLast(twin))
      expect(`${code} ${message} ${hint}`).toBe(damage)
      expect((await localRun(twin.root, toTime(twin, entryAt(1)))).stdout).toBe(answerAt(entryAt(1).n))
    })

    it('is where --to-latest ends, with the warning of one that was read', async () => {
      const { twin, segment } = await aRottenTwin()
      const { stdout, stderr } = await localRun(twin.root, [twin.record.id, '--to-latest', ...ask])
      expect(stderr).toMatch(new RegExp(`the WAL archive is broken: ${segment}`))
      expect(Number(stdout.split(/\D/)[0])).toBeLessThan(entryAt(-1).n)
    })
  },
)
