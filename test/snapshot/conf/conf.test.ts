import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import { type ConfInput, restoreCommand, snapshotConf, snapshotHba } from '../../../src/snapshot/conf/conf.js'
import { confLine, confLiteral, isSettingName } from '../../../src/snapshot/conf/conf-line.js'
import { thrownBy } from '../../catalog/samples.js'
import { seed } from '../../helpers/chance.js'
import { oddTexts } from '../../helpers/odd-texts.js'
import { aDirectory } from '../../helpers/places.js'
import { anyMajor, attempt, binOf, run } from '../../helpers/programs.js'
import { zstdOf } from '../../helpers/zstd.js'

const input: ConfInput = {
  id: '20261120T030000Z',
  major: 15,
  settings: { max_connections: '100', TimeZone: 'Europe/Berlin', shared_buffers: '64GB', ssl: 'on' },
  customSettings: { 'app.tenant': "it's" },
  minimums: {},
  walSegmentSize: 16 * 1024 * 1024,
  inPlaceTablespaces: false,
}

/** The lines that set something. */
const settingsOf = (conf: string) =>
  conf
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .filter((line) => !line.startsWith('restore_command'))

describe('the configuration of a snapshot', () => {
  it('is whole, and sets nothing else', () => {
    expect(settingsOf(snapshotConf(input))).toEqual([
      "data_directory = 'data'",
      "listen_addresses = 'localhost'",
      "unix_socket_directories = '/tmp'",
      'unix_socket_permissions = 0700',
      "cluster_name = 'pgbk 20261120T030000Z'",
      'shared_buffers = 128MB',
      'huge_pages = try',
      "shared_preload_libraries = ''",
      "session_preload_libraries = ''",
      "local_preload_libraries = ''",
      'archive_mode = off',
      "archive_command = ''",
      "archive_library = ''",
      "primary_conninfo = ''",
      "primary_slot_name = ''",
      'max_logical_replication_workers = 0',
      'hot_standby = on',
      'max_connections = 100',
      "app.tenant = 'it''s'",
    ])
  })

  it.each([
    [13, false],
    [14, false],
    [15, true],
    [18, true],
  ])('for PostgreSQL %i names archive_library: %s', (major, named) => {
    expect(snapshotConf({ ...input, major }).includes('archive_library')).toBe(named)
  })

  it('gives recovery the larger of the settings and what pg_control demands', () => {
    const settings = { max_connections: '100', max_worker_processes: '16' }
    const minimums = { max_connections: 200, max_worker_processes: 8, max_wal_senders: 12 }
    const conf = settingsOf(snapshotConf({ ...input, settings, minimums }))
    expect(conf.filter((line) => /^max_(?!logical)/.test(line))).toEqual([
      'max_connections = 200',
      'max_worker_processes = 16',
      'max_wal_senders = 12',
    ])
  })

  it.each([
    [16, []],
    [64, ['min_wal_size = 128MB', 'max_wal_size = 1024MB']],
    [1024, ['min_wal_size = 2048MB', 'max_wal_size = 4096MB']],
  ])('has room for segments of %i MB', (size, lines) => {
    const conf = settingsOf(snapshotConf({ ...input, walSegmentSize: size * 1024 * 1024 }))
    expect(conf.filter((line) => line.includes('wal_size'))).toEqual(lines)
  })

  it('allows tablespaces in place only where there are some', () => {
    const line = 'allow_in_place_tablespaces = on'
    expect(settingsOf(snapshotConf({ ...input, inPlaceTablespaces: true }))).toContain(line)
    expect(settingsOf(snapshotConf(input))).not.toContain(line)
  })

  it('lets nobody in for replication', () => expect(snapshotHba).not.toMatch(/replication.*(trust|md5)/))
})

describe('a quoted value', () => {
  it.each([
    ['plain', "'plain'"],
    ["it's", "'it''s'"],
    ['back\\slash', "'back\\\\slash'"],
    ['two\nlines\r', "'two\\nlines\\r'"],
    ['', "''"],
  ])('for %j is %s', (value, literal) => expect(confLiteral(value)).toBe(literal))

  it.each(["it's", 'back\\slash', 'two\nlines', "\\'; x = 1", '# no comment', '100%', '$user, "Ünï"', '\\n'])(
    'is read by PostgreSQL as it was: %j',
    async (value) => {
      const directory = aDirectory()
      const conf = snapshotConf({ ...input, major: anyMajor, customSettings: { 'app.value': value } })
      writeFileSync(join(directory, 'postgresql.conf'), conf)
      const { stdout } = await run([`${binOf(anyMajor)}/postgres`, '-C', 'app.value', '-D', directory])
      expect(stdout).toBe(value)
    },
  )
})

describe('its restore_command', () => {
  const segment = '000000010000000000000003'

  interface Way {
    command?: string
    /** What cp does first, once: a receiver at work, who comes in between. */
    meanwhile?: string
  }

  /** Runs it as a server does that works in snapshot/data. */
  async function restore(fillArchive: (file: string) => void, { command = ofSnapshot, meanwhile }: Way = {}) {
    const backup = aDirectory()
    const data = join(backup, 'snapshot', 'data')
    const bin = join(backup, 'bin')
    for (const directory of [data, bin, join(backup, 'wal')]) mkdirSync(directory, { recursive: true })
    const target = join(data, 'RECOVERYXLOG')
    writeFileSync(target, '')
    for (const path of [data, join(backup, 'wal'), target]) chmodSync(path, 0o777)
    const file = join(backup, 'wal', segment)
    fillArchive(file)
    if (meanwhile !== undefined) {
      const once = `[ -e $FILE.done ] || { > $FILE.done; ${meanwhile}; }`
      writeFileSync(join(bin, 'cp'), `#!/bin/sh\n${once}\nexec /bin/cp "$@"\n`, { mode: 0o755 })
    }
    const expanded = command.replaceAll('%f', segment).replaceAll('%p', 'RECOVERYXLOG')
    const around = `export FILE=${file} PATH=${bin}:$PATH; ${expanded}`
    const { status } = await attempt(['sh', '-c', around], { cwd: data })
    return { status, restored: readFileSync(target, 'utf8') }
  }
  const [, ofSnapshot = ''] = /^restore_command = '(.*)'$/m.exec(snapshotConf(input)) ?? []
  const ofRecovery = restoreCommand('../../wal', {
    segmentSize: 16 << 20,
    partial: true,
    lastSegment: '0000000000000009',
  })

  it('copies a raw segment', async () => {
    expect(await restore((file) => writeFileSync(file, 'wal'))).toEqual({ status: 0, restored: 'wal' })
  })

  it.each([
    ['is', 0o444, 1, ''],
    ['that the server could write to is not', 0o666, 0, 'wal'],
    ['that cannot be read is not', 0o000, 126, ''],
  ])('of a run leaves to PostgreSQL what is linked in pg_wal; what %s', async (_, mode, status, restored) => {
    const fillArchive = (file: string) => {
      const place = join(dirname(file), '../snapshot/data/pg_wal')
      writeFileSync(file, 'wal')
      chmodSync(file, mode)
      mkdirSync(place)
      chmodSync(place, 0o755)
      symlinkSync(file, join(place, segment))
    }
    const command = restoreCommand('../../wal', { segmentSize: 16 << 20, linked: true })
    expect(await restore(fillArchive, { command })).toEqual({ status, restored })
  })

  it.each([
    ['.gz', gzipSync],
    ['.zst', zstdOf],
  ])('unpacks a compressed one, %s', async (ending, pack) => {
    const fillArchive = (file: string) => writeFileSync(file + ending, pack(Buffer.from('wal')))
    expect(await restore(fillArchive)).toEqual({ status: 0, restored: 'wal' })
  })

  it('unpacks .zst with what it was told', async () => {
    const command = restoreCommand('../../wal', { segmentSize: 16 << 20, unpackZstd: 'rev' })
    const fillArchive = (file: string) => writeFileSync(`${file}.zst`, 'law')
    expect(await restore(fillArchive, { command })).toEqual({ status: 0, restored: 'wal' })
  })

  it.each([
    ['.gz', gzipSync],
    ['.zst', zstdOf],
  ])(
    'writes no more than a byte beyond a segment, whatever a compressed one holds, %s',
    async (ending, pack) => {
      const bomb = pack(Buffer.alloc(40 << 20))
      const { status, restored } = await restore((file) => writeFileSync(file + ending, bomb))
      expect(status).toBe(126)
      expect(restored.length).toBe((16 << 20) + 1)
    },
  )

  it('ends the recovery where there is none, as the end of the WAL', async () => {
    expect((await restore(() => {})).status).toBe(1)
    expect((await restore((file) => writeFileSync(`${file}.partial`, 'wal'))).status).toBe(1)
  })

  it.each(['', '.gz', '.zst'])('fails for good when a segment%s cannot be read', async (suffix) => {
    const { status } = await restore((file) => writeFileSync(file + suffix, gzipSync('x'), { mode: 0o000 }))
    expect(status).toBe(126)
  })

  it.each([
    ['.gz', gzipSync],
    ['.zst', zstdOf],
  ])('fails for good when a compressed segment is damaged, %s', async (ending, pack) => {
    const damaged = pack(Buffer.from('a long text that is cut short')).subarray(0, 30)
    expect((await restore((file) => writeFileSync(file + ending, damaged))).status).toBe(126)
  })

  it('of a recovery takes the unfinished segment too, but none behind its end', async () => {
    const fillArchive = (file: string) => writeFileSync(`${file}.partial`, 'wal')
    expect(await restore(fillArchive, { command: ofRecovery })).toEqual({ status: 0, restored: 'wal' })
    const tooLate = ofRecovery.replace('0009', '0002')
    expect((await restore(fillArchive, { command: tooLate })).status).toBe(1)
  })

  it('finds a segment that is compressed meanwhile', async () => {
    for (const command of [ofSnapshot, ofRecovery])
      expect(
        await restore((file) => writeFileSync(file, 'wal'), { command, meanwhile: 'gzip $FILE' }),
      ).toEqual({ status: 0, restored: 'wal' })
  })

  it.each(['mv $FILE.partial $FILE', 'mv $FILE.partial $FILE; gzip $FILE'])(
    'finds an unfinished segment after %j',
    async (meanwhile) => {
      const fillArchive = (file: string) => writeFileSync(`${file}.partial`, 'wal')
      const found = await restore(fillArchive, { command: ofRecovery, meanwhile })
      expect(found).toEqual({ status: 0, restored: 'wal' })
    },
  )
})

describe('a line of a configuration file', () => {
  it(`gives the server the value that it was made of (seed ${seed})`, async () => {
    const values = oddTexts('conf', 20)
    const lines = values.map((value, index) => confLine(`app.n${index}`, value))
    const said = await saidByPostgres(lines, values.length)
    expect(said).toEqual(values)
  })

  it('has no name that would be another line, and no zero byte', async () => {
    for (const name of [
      "a.b\nshared_preload_libraries = 'x' #",
      'a b',
      '1a',
      'a.b.c',
      '',
      'a.',
      'include'.concat(' x'),
    ]) {
      expect(isSettingName(name)).toBe(false)
      expect(await thrownBy(() => confLine(name, 'x'))).toMatchObject({ code: 'failed' })
    }
    expect(await thrownBy(() => confLiteral('a\0b'))).toMatchObject({ code: 'failed' })
  })

  it('that a server made up is not among those of the snapshot', () => {
    const customSettings = {
      'app.tenant': 'x',
      "a.b = 'x'\nshared_preload_libraries": 'evil',
      archive_command: 'evil',
    }
    const conf = snapshotConf({ ...input, customSettings })
    expect(conf).toContain("app.tenant = 'x'")
    expect(conf).not.toContain('evil')
  })
})

/** What `postgres -C` says of app.n0, app.n1 and so on. */
async function saidByPostgres(lines: string[], count: number): Promise<string[]> {
  const directory = aDirectory()
  const file = join(directory, 'postgresql.conf')
  writeFileSync(file, `${lines.join('\n')}\n`)
  const postgres = `${binOf(anyMajor)}/postgres`
  const said: string[] = []
  for (let index = 0; index < count; index++) {
    const args = [
      '-D',
      directory,
      '-c',
      `config_file=${file}`,
      '-c',
      'data_directory=/nowhere',
      '-C',
      `app.n${index}`,
    ]
    said.push((await run([postgres, ...args], { stripFinalNewline: false })).stdout.slice(0, -1))
  }
  return said
}
