import { readdirSync } from 'node:fs'
import { beforeAll, describe, expect, it } from '@jest/globals'
import type { WorkingCopyKind } from '../../../src/run/working-copy/working-copy.js'
import { aBackupOf, type MadeBackup } from '../../helpers/backup.js'
import { aReadyRun, localRun, nothing, remainsOf } from '../../helpers/local-run.js'
import { needs } from '../../helpers/needs.js'
import { runPgbk } from '../../helpers/pgbk.js'
import { anyMajor } from '../../helpers/programs.js'
import { aDiskWithReflinks } from '../../helpers/reflink-disk.js'
import {
  aRoot,
  aServer,
  fill,
  filledAnswer,
  filledRows,
  type TestServer,
  verifies,
} from '../../helpers/server.js'
import { fingerprint } from '../../helpers/tree.js'
import { ordinaryUser } from '../../helpers/users.js'

let server: TestServer
beforeAll(async () => {
  server = await aServer({ major: anyMajor })
  await fill(server)
})

needs('user namespaces').describe('an overlay', () =>
  keepsTheContract('overlay', aRoot, ['an ordinary user']),
)
needs('root', 'mounts', 'loop devices', 'program mkfs.xfs').describe('a reflink clone', () =>
  keepsTheContract('reflink', () => aDiskWithReflinks(), ['root'], 'overlay'),
)
describe('a copy', () => keepsTheContract('copy', aRoot, ['an ordinary user']))
needs('user namespaces', '/dev/fuse').describe('a thin copy', () =>
  keepsTheContract('thin', aRoot, ['an ordinary user', 'root'], 'thin'),
)

/** Changes to every kind of file that a snapshot has: tables in all tablespaces, WAL, settings, databases. */
const changes = [
  'update ledger set at = null',
  'delete from elsewhere',
  'truncate parts',
  'vacuum full ledger',
  'create table more tablespace two as select generate_series(1, 1000) as n',
  'drop table ledger',
  'drop database "strange name"',
  'create database another',
  "alter system set work_mem = '9MB'",
  'select pg_switch_wal()',
  'checkpoint',
]

/**
 * What every kind of working copy has to do, whoever uses it: that it is root makes no other difference to one than to the next.
 * @param best what a run without a wish gets there; looked at where it is given.
 */
function keepsTheContract(
  kind: WorkingCopyKind,
  aPlace: () => string | Promise<string>,
  users: ('an ordinary user' | 'root')[],
  best?: WorkingCopyKind,
): void {
  let backup: MadeBackup
  let before: string
  beforeAll(async () => {
    backup = await aBackupOf(server, { root: await aPlace() })
    before = fingerprint(backup.directory)
  })

  for (const user of users) needs(user).describe(`used by ${user}`, () => usedBy(user))

  function usedBy(user: 'an ordinary user' | 'root') {
    const options = { asRoot: user === 'root' }
    const args = ['--working-copy', kind, '--dbname', 'app']
    const psql = (...statements: string[]) =>
      localRun(
        backup.root,
        [...args, '--', 'psql', '-XAtq', ...statements.flatMap((one) => ['-c', one])],
        options,
      )

    // psql of 13 and 14 tells of the last statement of each -c alone.
    const rows = filledRows.split(';').filter((one) => one.trim() !== '')

    it('shows all data, that of the tablespaces too, and belongs, and its server too, to the owner of the backup', async () => {
      const ids = "create temp table ids (id int); copy ids from program 'id -u; stat -c %u .'"
      const seen = await psql(...rows, ids, 'select distinct id from ids')
      expect(seen).toMatchObject({ status: 0, stdout: `${filledAnswer}\n${ordinaryUser.uid}` })
    })

    it('takes every kind of write, forgets it, and lets the backup keep every byte, mode, owner and time', async () => {
      const { status, stderr } = await psql(...changes)
      expect({ status, error: /ERROR.*/.exec(stderr)?.[0] }).toEqual({ status: 0, error: undefined })
      expect(fingerprint(backup.directory)).toBe(before)
      expect(await verifies(backup.snapshot, anyMajor)).toBe(true)
      expect((await psql(...rows)).stdout).toBe(filledAnswer)
    })

    it('is one of several at once, each with its own writes', async () => {
      const runs = await Promise.all([1, 2].map(() => aReadyRun(backup.root, args, options)))
      expect(runs.map(({ copy }) => copy)).toEqual([kind, kind])
      await Promise.all(runs.map((one, n) => one.sql(`delete from elsewhere where n <= ${n + 1}`)))
      const counts = await Promise.all(runs.map((one) => one.sql('select count(*) from elsewhere')))
      expect(counts).toEqual(['99', '98'])
      expect(await Promise.all(runs.map((one) => one.stop()))).toEqual([0, 0])
      expect(fingerprint(backup.directory)).toBe(before)
    })

    if (best !== undefined)
      it(`is where a run without a wish gets a copy that costs no room: ${best}`, async () => {
        const one = await aReadyRun(backup.root, ['--dbname', 'app'], options)
        expect(await one.sql('select count(*) from ledger')).toBe('1000')
        const [{ written_bytes: written, ...listed }] = JSON.parse(
          (await runPgbk(['instance', 'list', '-C', backup.root, '--json'], options)).stdout,
        ).runs
        expect(listed).toMatchObject({ name: one.name, working_copy: best, reflinks: kind === 'reflink' })
        if (kind === 'reflink') expect(written).toBeNull()
        else expect(written).toBeLessThan(backup.record.size_bytes)
        expect(await one.stop()).toBe(0)
      })

    it('leaves nothing behind, also when its server does not start', async () => {
      expect(remainsOf(backup.root)).toEqual(nothing)
      const failed = await localRun(backup.root, [...args, '-c', 'no_such_setting=1', '--', 'true'], options)
      expect(failed.status).toBe(1)
      expect(remainsOf(backup.root)).toEqual(nothing)
      expect(readdirSync(backup.root)).toEqual(['data'])
    })
  }
}
