import { chmodSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { causeOfEnd, logEntries } from '../../../src/postgres/local/log-entries.js'
import { namesDamage, namesLack, wordsText } from '../../../src/postgres/sql/server-words.js'
import { newCluster } from '../../helpers/new-cluster.js'
import { aDirectory, aFreePort } from '../../helpers/places.js'
import { attempt, binOf, oldestAndNewest } from '../../helpers/programs.js'

/** Starts a server in the foreground, which is to fail, as a run is started. @returns why, and whether that is damage. */
async function failureOf(
  major: number,
  damage: (data: string) => void,
  settings: Record<string, string> = {},
): Promise<[boolean, string]> {
  const directory = aDirectory()
  const data = join(directory, 'data')
  await newCluster(major, ['-U', 'focker'], data)
  damage(data)
  const all = {
    port: String(await aFreePort()),
    unix_socket_directories: directory,
    listen_addresses: '',
    log_line_prefix: '%m [%p] %e ',
    ...settings,
  }
  const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const { stderr } = await attempt([
    'timeout',
    '-s',
    'INT',
    '15',
    `${binOf(major)}/postgres`,
    '-D',
    data,
    ...flags,
  ])
  const cause = causeOfEnd(logEntries(stderr))
  return cause ? [namesDamage(cause), wordsText(cause)] : [false, stderr]
}

const nothing = () => {}
const overwrite = (path: string) => (data: string) => {
  const bytes = readFileSync(join(data, path))
  bytes.fill(0xa5, 100, 140)
  writeFileSync(join(data, path), bytes)
}
const without = (path: string) => (data: string) => rmSync(join(data, path), { recursive: true })
const withoutWal = (data: string) => {
  for (const name of readdirSync(join(data, 'pg_wal')))
    if (/^\w{24}$/.test(name)) rmSync(join(data, 'pg_wal', name))
}
const conf = (line: string) => (data: string) =>
  writeFileSync(join(data, 'postgresql.conf'), `${line}\n`, { flag: 'a' })

it.each([
  ['XX001', 'invalid page in block 3 of relation base/5/16384', undefined],
  ['XX002', 'item order invariant violated for index "i"', undefined],
  ['58P01', 'could not open file "base/5/16384": No such file or directory', undefined],
  ['58030', 'could not read block 7 in file "base/5/16384": Input/output error', undefined],
  ['3D000', 'database "app" does not exist', 'The database subdirectory "base/16384" is missing.'],
  ['22023', '"base/5" is not a valid data directory', 'File "base/5/PG_VERSION" is missing.'],
  ['XX000', 'cache lookup failed for relation 16384', undefined],
  ['XX000', 'xlog flush request 0/70000000 is not satisfied --- flushed only to 0/1600000', undefined],
])('damage is named by %s %s', (sqlstate, message, detail) => {
  expect(namesDamage({ sqlstate, message, detail })).toBe(true)
})

it.each([
  ['58P01', 'could not access file "$libdir/postgis-3": No such file or directory'],
  ['XX000', 'incompatible library "/usr/lib/postgresql/15/lib/age.so": version mismatch'],
  ['53400', 'could not find free replication state, increase max_replication_slots'],
  ['XX000', 'could not map anonymous shared memory: Cannot allocate memory'],
  ['XX000', 'could not create semaphores: No space left on device'],
  ['XX000', 'database locale is incompatible with operating system'],
  ['42501', 'could not open file "base/5/16384": Permission denied'],
  ['53100', 'could not extend file "base/5/16384": No space left on device'],
  ['53000', 'could not open file "base/5/16384": Too many open files'],
  ['3D000', 'database "app" does not exist'],
  ['28000', 'role "focker" is not permitted to log in'],
  ['XX000', 'resource manager with ID 128 not registered'],
  ['55000', 'pg_stat_statements must be loaded via "shared_preload_libraries"'],
  // What code of the data raises.
  ['P0001', 'invalid page in block 3 of relation base/5/16384'],
])('no damage is named by %s %s', (sqlstate, message) => {
  expect(namesDamage({ sqlstate, message })).toBe(false)
})

it.each([
  ['58P01', 'could not access file "$libdir/postgis-3": No such file or directory'],
  ['55000', 'pg_stat_statements must be loaded via "shared_preload_libraries"'],
  ['XX000', 'pg_cron can only be loaded via shared_preload_libraries'],
  ['XX000', 'extension "timescaledb" must be preloaded'],
  ['22023', 'could not create locale "xx_XX.UTF-8": No such file or directory'],
  ['22023', 'time zone "Atlantis/Capital" not recognized'],
  ['53200', 'out of memory'],
])('something is lacking here by %s %s', (sqlstate, message) => {
  expect(namesLack({ sqlstate, message })).toBe(true)
})

it.each([
  ['42P01', 'relation "orders" does not exist'],
  ['22012', 'division by zero'],
  ['XX001', 'invalid page in block 3 of relation base/5/16384'],
])('nothing is lacking by %s %s', (sqlstate, message) => {
  expect(namesLack({ sqlstate, message })).toBe(false)
})

for (const major of oldestAndNewest)
  describe(`why PostgreSQL ${major} does not start`, () => {
    it.each([
      ['pg_control has another checksum', overwrite('global/pg_control'), /checksum|control file/],
      [
        'pg_control is cut off',
        (data: string) => truncateSync(join(data, 'global/pg_control'), 100),
        /pg_control|control file/,
      ],
      ['there is no WAL', withoutWal, /valid checkpoint record/],
      ['pg_xact has no file', without('pg_xact/0000'), /pg_xact|status of transaction/],
    ])('is damage: %s', async (_, damage, words) => {
      expect(await failureOf(major, damage)).toEqual([true, expect.stringMatching(words)])
    })

    it.each([
      ['a library', { shared_preload_libraries: 'only_there' }, nothing, /only_there/],
      ['a time zone', {}, conf("timezone = 'Atlantis/Capital'"), /TimeZone.*Atlantis/],
      ['a locale', {}, conf("lc_monetary = 'xx_XX.UTF-8'"), /lc_monetary.*xx_XX/],
      ['memory', { shared_buffers: '4TB', huge_pages: 'off' }, nothing, /memory/],
      ['a directory for its socket', { unix_socket_directories: '/nowhere' }, nothing, /socket|lock file/],
      ['its own directory', {}, (data: string) => chmodSync(data, 0o777), /permissions/],
      ['a directory of the same machine', {}, without('pg_hba.conf'), /pg_hba/],
    ])('is this machine: it lacks %s', async (_, settings, damage, words) => {
      expect(await failureOf(major, damage, settings)).toEqual([false, expect.stringMatching(words)])
    })
  })
