import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aBackupOf, aCopyOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { forms, inForm } from '../helpers/forms.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { anyMajor, eachMajorFrom, run } from '../helpers/programs.js'
import { aRoot, aServer, aStandbyOf, conninfo, openSnapshot, type TestServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'
import { fingerprint } from '../helpers/tree.js'
import { asUser, ifRoot } from '../helpers/users.js'

const megabyte = 1024 * 1024
const smallSegments = ['--wal-segsize=1']

/** A server with small segments, a tablespace, and something in it. */
async function aServerWithSpace(major: number): Promise<TestServer> {
  const server = await aServer({ major, initdb: smallSegments })
  const space = join(server.directory, 'space')
  await run(['mkdir', space])
  await server.sql(`create tablespace one location '${space}'`)
  await server.sql('create table inside tablespace one as select generate_series(1, 1000) as n')
  return server
}

/** A backup, and WAL that was written after it in its archive. */
async function aBackupWithWal(server: TestServer): Promise<MadeBackup> {
  const backup = await aBackupOf(server)
  await writeWal(server)
  await archive(server, backup)
  return backup
}

/** Several segments, each with several pages. */
async function writeWal(server: TestServer): Promise<void> {
  for (let count = 0; count < 4; count++)
    await server.sql(
      'create table more as select generate_series(1, 2000); drop table more; select pg_switch_wal()',
    )
}

/** Does what a receiver does: three finished segments from after the backup, and the histories. */
async function archive(server: TestServer, { directory }: MadeBackup): Promise<void> {
  const wal = join(directory, 'wal')
  const own = readdirSync(wal)
    .map((name) => name.slice(8, 24))
    .sort()
  const names = readdirSync(join(server.data, 'pg_wal')).sort()
  const later = names.filter((name) => /^[0-9A-F]{24}$/.test(name) && name.slice(8) >= `${own.at(-1)}`)
  const unfinished = await server.sql('select pg_walfile_name(pg_current_wal_lsn())')
  const finished = later.filter((name) => name < unfinished && !existsSync(join(wal, name))).slice(0, 3)
  for (const name of [...finished, ...names.filter((one) => one.endsWith('.history'))])
    await run(['cp', join(server.data, 'pg_wal', name), join(wal, name)])
}

let server: TestServer
let plain: MadeBackup
/** Of which each test has a copy. */
let original: MadeBackup
let backup: MadeBackup
/** Of the archive, in order. */
let segments: string[]

beforeAll(async () => {
  server = await aServerWithSpace(anyMajor)
  plain = await aBackupWithWal(server)
  original = plain
})

beforeEach(async () => {
  backup = await aCopyOf(original)
  segments = (await run(['ls', join(backup.directory, 'wal')])).stdout.split('\n')
})

interface Checked {
  status: number | undefined
  faults: { file: string; problem: string }[]
}

async function check(args: string[] = [], asRoot = false): Promise<Checked> {
  const { status, stdout, stderr } = await runPgbk(['verify', '--json', '-C', backup.root, ...args], {
    asRoot,
  })
  const { checks } = JSON.parse(stdout)
  if (checks === undefined) throw new Error(stderr)
  expect(checks).toHaveLength(1)
  expect(checks[0].ok).toBe(checks[0].faults.length === 0)
  return { status, faults: checks[0].faults }
}

const inWal = (name = '') => join(backup.directory, 'wal', name)
const inSnapshot = (path: string) => join(backup.snapshot, path)
const shell = (script: string) => run(['sh', '-c', script], { cwd: backup.directory })

/** Changes some bytes of a file. */
async function overwrite(path: string, at: number, bytes: Uint8Array): Promise<void> {
  const content = readFileSync(path)
  content.set(bytes, at)
  await writeFile(path, content)
}

describe.each(forms)('verify of a %s backup', (form) => {
  beforeAll(async () => {
    original = await inForm(form, plain)
  })
  afterAll(() => {
    original = plain
  })

  describe('a good backup', () => {
    it('has no faults, and stays exactly as it was', async () => {
      const before = fingerprint(backup.directory)
      expect(await check()).toEqual({ status: 0, faults: [] })
      const { status, stdout } = await runPgbk(['verify', '-C', backup.root])
      expect(status).toBe(0)
      expect(stdout).toMatch(
        new RegExp(`^${backup.record.id}  as it was made, with ${segments.length} WAL segments`),
      )
      expect(fingerprint(backup.directory)).toBe(before)
    })

    ifRoot('has none for root either, who asks as its owner', async () => {
      expect(await check([], true)).toEqual({ status: 0, faults: [] })
    })

    it('may have compressed segments, and one that is only begun', async () => {
      const [, second = '', , last = ''] = segments
      await shell(`gzip wal/${second} && mv wal/${last} wal/${last}.partial`)
      expect(await check()).toEqual({ status: 0, faults: [] })
      await writeFile(inWal(`${last}.partial`), Buffer.alloc(megabyte))
      expect(await check()).toEqual({ status: 0, faults: [] })
      // As pg_receivewal leaves it that is killed while it fills it with zeros.
      await writeFile(inWal(`${last}.partial`), Buffer.alloc(8192))
      expect(await check()).toEqual({ status: 0, faults: [] })
    })
  })

  // The archive lies beside the snapshot, whatever that is.
  const inArchive = () => {
    it.each([
      ['a missing segment', () => `rm wal/${segments[2]}`, 2, 'it is missing; what follows'],
      ['the first one missing', () => `rm wal/${segments[0]}`, 0, 'it is missing'],
      [
        'a segment that is cut short',
        () => `truncate -s 5000 wal/${segments[1]}`,
        1,
        'it has 5000 bytes instead of',
      ],
      [
        'a segment of zeros',
        () => `truncate -s 0 wal/${segments[1]} && truncate -s 1M wal/${segments[1]}`,
        1,
        'it does not begin with a page of WAL',
      ],
      [
        'one under another’s name',
        () => `cp wal/${segments[1]} wal/${segments[2]}`,
        2,
        'it is another segment under this name',
      ],
      ['one that may not be read', () => `chmod 000 wal/${segments[1]}`, 1, 'it cannot be read: EACCES'],
    ])('%s', async (_what, damage, index, problem) => {
      await shell(damage())
      const { status, faults } = await check()
      expect(status).toBe(6)
      expect(faults).toContainEqual({
        file: `wal/${segments[index]}`,
        problem: expect.stringContaining(problem),
      })
    })

    it('zeros in the middle of a segment', async () => {
      await overwrite(inWal(segments[1]), 8192, Buffer.alloc(8192))
      expect(await check()).toEqual({
        status: 6,
        faults: [
          { file: `wal/${segments[1]}`, problem: expect.stringMatching(/^it is damaged: .*WAL record/) },
        ],
      })
    })

    it('zeros in the middle of what is received of an unfinished one', async () => {
      await overwrite(inWal(segments[3]), 8192, Buffer.alloc(8192))
      await shell(`mv wal/${segments[3]} wal/${segments[3]}.partial`)
      expect((await check()).faults).toEqual([
        { file: `wal/${segments[3]}.partial`, problem: 'it is zeroed at byte 8192' },
      ])
    })

    it.each([
      ['timeline', 4, [9, 0, 0, 0], 'it is damaged: '],
      ['version', 0, [0x99, 0xd0], 'it is damaged: '],
      ['size of segments', 32, [0, 0, 0, 1], 'it is made for segments of 16777216 bytes'],
    ])('a header with another %s', async (_what, at, bytes, problem) => {
      await overwrite(inWal(segments[1]), at, Buffer.from(bytes))
      const { status, faults } = await check()
      expect(status).toBe(6)
      expect(faults).toContainEqual({
        file: `wal/${segments[1]}`,
        problem: expect.stringContaining(problem),
      })
    })

    it('a segment of another cluster', async () => {
      const other = await aServer({ major: anyMajor, initdb: smallSegments })
      await other.sql('create table t as select generate_series(1, 50000); select pg_switch_wal();')
      const name = segments[1] as string
      const stranger = (await other.sql('select name from pg_ls_waldir() order by 1 limit 1')).trim()
      await run(['cp', join(other.data, 'pg_wal', stranger), inWal(name)])
      expect((await check()).faults).toEqual([
        {
          file: `wal/${name}`,
          problem: expect.stringMatching(/^it is from another cluster \(system identifier \d+\)$/),
        },
      ])
    })

    it.each([
      [
        'cut short',
        (packed: Buffer) => packed.subarray(0, packed.length - 100),
        'it is damaged: unexpected end of file',
      ],
      ['of something shorter', () => gzipSync(Buffer.alloc(5000, 1)), 'it has 5000 bytes instead of'],
      [
        'damaged inside',
        (packed: Buffer) => packed.map((byte, at) => (at === 5000 ? byte ^ 0xff : byte)),
        'it',
      ],
      ['no archive at all', () => Buffer.from('hello'), 'it is damaged: incorrect header check'],
    ])('a compressed segment that is %s', async (_what, spoil, problem) => {
      const name = segments[1] as string
      const packed = gzipSync(readFileSync(inWal(name)))
      await writeFile(inWal(`${name}.gz`), spoil(packed))
      await shell(`rm wal/${name}`)
      const { status, faults } = await check()
      expect(status).toBe(6)
      expect(faults).toContainEqual({ file: `wal/${name}.gz`, problem: expect.stringContaining(problem) })
    })

    it('a timeline history that is not understood', async () => {
      await writeFile(inWal('00000002.history'), 'nonsense\n')
      expect((await check()).faults).toEqual([
        { file: 'wal/00000002.history', problem: expect.stringContaining('not understood') },
      ])
    })

    it('no archive', async () => {
      await shell('rm -r wal')
      expect((await check()).faults).toEqual([{ file: `wal/${segments[0]}`, problem: expect.any(String) }])
    })
  }
  if (form === 'plain') describe('a fault in the WAL archive is found', inArchive)

  describe('a fault of the record is found', () => {
    const edit = (changes: object) =>
      writeFile(join(backup.directory, 'backup.json'), JSON.stringify({ ...backup.record, ...changes }))

    /** What could be that of a backup, and is not that of this one. */
    const moved = (lsn: string, bytes: number) => {
      const [high = '', low = ''] = lsn.split('/')
      return `${high}/${(Number.parseInt(low, 16) + bytes).toString(16).toUpperCase()}`
    }
    it.each([
      ['start_lsn', (lsn: string) => moved(lsn, -8)],
      ['stop_lsn', (lsn: string) => moved(lsn, 8)],
      ['checkpoint_lsn', (lsn: string) => moved(lsn, -8)],
      ['timeline', () => 7],
    ] as const)('another %s', async (field, another) => {
      await edit({ [field]: another(String(backup.record[field])) })
      const { status, faults } = await check()
      expect(status).toBe(6)
      expect(faults).toContainEqual({
        file: 'backup.json',
        problem: expect.stringMatching(
          new RegExp(`^its ${field} is .*, but snapshot/data/backup_(label|manifest) says `),
        ),
      })
    })

    it('another system identifier', async () => {
      await edit({ server: { ...backup.record.server, system_identifier: '123' } })
      expect((await check()).faults).toContainEqual({
        file: 'backup.json',
        problem: expect.stringContaining(
          'its system_identifier is 123, but snapshot/data/global/pg_control says',
        ),
      })
    })

    it.each([
      ['one without a field', () => edit({ wal_segment_size: undefined })],
      ['one with a wrong type', () => edit({ timeline: 'one' })],
      ['that of another backup', () => edit({ id: '20200101T000000Z' })],
      ['no record', () => run(['rm', join(backup.directory, 'backup.json')])],
      ['nonsense', () => writeFile(join(backup.directory, 'backup.json'), '{')],
    ])('%s', async (_what, damage) => {
      await damage()
      for (const args of [[backup.record.id], ['--all']])
        expect(await check(args)).toMatchObject({ status: 6, faults: [{ file: 'backup.json' }] })
    })
  })

  describe('verify', () => {
    it('of all goes on after a fault, and sums up', async () => {
      await aTwinOf(backup, '20250101T030000Z')
      const lost = form === 'plain' ? 'snapshot/README' : 'README'
      await shell(`rm ${lost}`)
      const { status, stdout } = await runPgbk(['verify', '--all', '-C', backup.root])
      expect(status).toBe(6)
      expect(stdout).toMatch(/^\d{8}T\d{6}Z {2}1 fault\n/)
      expect(stdout).toContain(`\n  ${lost}: it is missing\n20250101T030000Z  as it was made`)
      expect(stdout).toMatch(/\n2 backups in \/.* were checked, 1 has faults$/)
      const json = JSON.parse((await runPgbk(['verify', '--all', '--json', '-C', backup.root])).stdout)
      expect(json.checks.map(({ ok }: { ok: boolean }) => ok)).toEqual([false, true])
    })

    it('wants an id or --all, and something to check', async () => {
      expect((await runPgbk(['verify', 'latest', '--all', '-C', backup.root])).status).toBe(2)
      expect((await runPgbk(['verify', '20200101T000000Z', '-C', backup.root])).status).toBe(3)
      expect((await runPgbk(['verify', '--all', '-C', await aRoot()])).status).toBe(3)
    })

    it('ends when it is interrupted', async () => {
      const child = startPgbk(['verify', '-C', backup.root])
      child.stderr?.on('data', (chunk) => {
        if (String(chunk).includes('the snapshot')) child.kill('SIGINT')
      })
      expect((await child).exitCode).toBe(130)
    })
  })
})

describe('a fault in the snapshot is found', () => {
  const table = 'base/1/1247'
  it.each([
    [
      'a flipped bit',
      () => overwrite(inSnapshot(`data/${table}`), 100, Buffer.from([0x5a])),
      table,
      'checksum',
    ],
    [
      'a file cut short',
      () => shell(`truncate -s 100 snapshot/data/${table}`),
      table,
      'has size 100 on disk',
    ],
    ['a missing file', () => shell(`rm snapshot/data/${table}`), table, 'not on disk'],
    ['a missing PG_VERSION', () => shell('rm snapshot/data/PG_VERSION'), 'PG_VERSION', 'not on disk'],
    [
      'a file too many',
      () => shell('touch snapshot/data/base/stranger'),
      'base/stranger',
      'not in the manifest',
    ],
    [
      'a manifest that was edited',
      () => shell('echo >> snapshot/data/backup_manifest'),
      'backup_manifest',
      'manifest',
    ],
    [
      'settings that override conf',
      () => shell('echo a=1 > snapshot/data/postgresql.auto.conf'),
      'postgresql.auto.conf',
      'not empty',
    ],
    [
      'a signal file',
      () => shell('touch snapshot/data/recovery.signal'),
      'recovery.signal',
      'does not belong',
    ],
    [
      'WAL of the snapshot that is gone',
      () => shell('rm snapshot/data/pg_wal/0*'),
      'pg_wal',
      'could not find',
    ],
  ])('%s', async (_what, damage, file, problem) => {
    await damage()
    const { status, faults } = await check()
    expect(status).toBe(6)
    expect(faults).toContainEqual({
      file: `snapshot/data/${file}`,
      problem: expect.stringContaining(problem),
    })
  })

  it('several at once, each with its file', async () => {
    await shell(
      'rm snapshot/data/base/1/1247 snapshot/conf/pg_hba.conf snapshot/README; touch snapshot/data/x',
    )
    const { faults } = await check()
    expect(faults.map(({ file }) => file).sort()).toEqual([
      'snapshot/README',
      'snapshot/conf/pg_hba.conf',
      'snapshot/data/base/1/1247',
      'snapshot/data/x',
    ])
    const { status, stdout } = await runPgbk(['verify', '-C', backup.root])
    expect(status).toBe(6)
    expect(stdout).toContain('4 faults\n')
    expect(stdout).toContain('  snapshot/README: it is missing\n')
  })

  it('all of it gone', async () => {
    await shell('rm -r snapshot')
    expect(await check([backup.record.id])).toMatchObject({ status: 6, faults: [{ file: 'snapshot/data' }] })
  })

  it('says of a used backup that it is none any more', async () => {
    await (await openSnapshot(backup.snapshot, anyMajor)).stop()
    expect(await check([backup.record.id])).toEqual({
      status: 6,
      faults: [{ file: 'snapshot', problem: expect.stringContaining('a server was started inside it') }],
    })
  })

  it('the server’s own configuration file', async () => {
    const copy = backup.record.config_files[0]?.copy
    await shell(`rm snapshot/conf/original/${copy}`)
    expect((await check()).faults).toEqual([
      { file: `snapshot/conf/original/${copy}`, problem: 'it is missing' },
    ])
  })
})

describe('what the manifest does not know is found', () => {
  it.each([
    [
      'an edited conf/',
      'echo archive_mode=on >> $S/conf/postgresql.conf',
      'conf/postgresql.conf',
      'was changed',
    ],
    ['an open door', 'echo host all all all trust >> $S/conf/pg_hba.conf', 'conf/pg_hba.conf', 'was changed'],
    [
      'a file too many in conf/',
      'touch $S/conf/more.conf',
      'conf/more.conf',
      'does not belong to the backup',
    ],
    ['another README', 'echo >> $S/README', 'README', 'was changed since it was made'],
    ['an empty directory lost', 'rmdir $S/data/pg_notify', 'data/pg_notify', 'no server starts without it'],
    ['one further down', 'rmdir $S/data/pg_logical/mappings', 'data/pg_logical/mappings', 'is missing'],
    ['a data directory open to all', 'chmod 755 $S/data', 'data', 'its mode is 0755'],
    ['a file that cannot be read', 'chmod 000 $S/data/PG_VERSION', 'data/PG_VERSION', 'permission denied'],
    [
      'a directory that cannot',
      'chmod 000 $S/conf/original',
      'conf/original/postgresql.conf',
      'permission denied',
    ],
  ])('%s', async (_what, damage, file, problem) => {
    await shell(`S=snapshot; ${damage}`)
    const { status, faults } = await check()
    await shell('chmod -R u+rwX snapshot/conf')
    expect({ status, faults }).toEqual({
      status: 6,
      faults: expect.arrayContaining([
        { file: `snapshot/${file}`, problem: expect.stringContaining(problem) },
      ]),
    })
  })

  it('but not in a record that older versions made', async () => {
    const { own_files: known, ...old } = JSON.parse(
      readFileSync(join(backup.directory, 'backup.json'), 'utf8'),
    )
    expect(Object.keys(known)).toEqual(expect.arrayContaining(['README', 'conf/pg_hba.conf']))
    await writeFile(join(backup.directory, 'backup.json'), JSON.stringify(old))
    await shell('echo >> snapshot/README')
    expect(await check()).toEqual({ status: 0, faults: [] })
  })

  it('before a server is started on it: a directory that is lost', async () => {
    await shell('rmdir snapshot/data/pg_commit_ts')
    const { status, stderr } = await runPgbk(['local-run', '-C', backup.root, '--', 'true'])
    expect(status).toBe(1)
    expect(stderr).toContain('is incomplete: data/pg_commit_ts is missing')
  })
})

describe('a fault of a tablespace is found', () => {
  const link = () => `snapshot/data/pg_tblspc/${backup.record.tablespaces[0]?.oid}`
  it.each([
    [
      'a link that leads elsewhere',
      () => `ln -sfn /tmp ${link()}`,
      'it leads to /tmp instead of ../../tablespaces/',
    ],
    ['an absolute link', () => `ln -sfn "$(realpath ${link()})" ${link()}`, 'it leads to /'],
    ['no link', () => `rm ${link()}`, 'it is missing'],
    ['a directory', () => `rm ${link()} && mkdir ${link()}`, 'it is not a symbolic link'],
  ])('%s', async (_what, damage, problem) => {
    await shell(damage())
    const { status, faults } = await check()
    expect(status).toBe(6)
    expect(faults).toContainEqual({ file: link(), problem: expect.stringContaining(problem) })
  })

  it('one that the record does not know', async () => {
    await shell('mkdir snapshot/tablespaces/99999')
    expect((await check()).faults).toEqual([
      { file: 'snapshot/tablespaces/99999', problem: 'the record knows no such tablespace' },
    ])
  })
})

describe('the WAL of a good server has no faults', () => {
  const goodWal = async ({ root }: MadeBackup) => {
    const { status, stdout, stderr } = await runPgbk(['verify', '-C', root])
    expect({ status, faults: stdout.includes('fault'), warns: stderr.includes('warning') }).toEqual({
      status: 0,
      faults: false,
      warns: false,
    })
  }

  eachMajorFrom(13, (major) => {
    if (major === anyMajor) return
    it(`of PostgreSQL ${major}`, async () => goodWal(await aBackupWithWal(await aServerWithSpace(major))))
  })

  it('that is being received meanwhile', async () => {
    const busy = await aServer({
      major: anyMajor,
      initdb: smallSegments,
      settings: { wal_keep_size: '200MB' },
    })
    const made = await aBackupOf(busy)
    const [file = '', ...args] = [...asUser(), `${busy.bin}/pg_receivewal`, '-D', join(made.directory, 'wal')]
    const receiver = execa(file, [...args, '-d', conninfo(busy)], {
      cwd: '/',
      reject: false,
      stdin: 'ignore',
    })
    const load = busy.sql('create table load as select generate_series(1, 1500000)')
    const names = () => readdirSync(join(made.directory, 'wal')).filter((name) => /^[0-9A-F]{24}$/.test(name))
    await until('something is received', () => names().length > 2)
    for (let count = 0; count < 5; count++) await goodWal(made)
    await load
    await until('all that is received', () => names().length > 50)
    receiver.kill('SIGINT')
    await receiver
    await goodWal(made)
  })

  it('that was a standby, and was promoted', async () => {
    const standby = await aStandbyOf(server)
    const made = await aBackupOf(standby)
    await standby.sql('select pg_promote()')
    await writeWal(standby)
    await archive(standby, made)
    const names = readdirSync(join(made.directory, 'wal'))
    expect(names).toContain('00000002.history')
    // The last segment of the old timeline may be one of the three that were archived.
    expect(names.filter((name) => /^00000002[0-9A-F]{16}$/.test(name)).length).toBeGreaterThan(1)
    await goodWal(made)
  })
})
