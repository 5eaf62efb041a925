import { chmodSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { causeOfEnd, logEntries } from '../../src/postgres/log-entries.js'
import { namesDamage, wordsText } from '../../src/postgres/server-words.js'
import { newCluster } from '../helpers/new-cluster.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { attempt, binOf, oldestUsualNewest } from '../helpers/programs.js'

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

for (const major of oldestUsualNewest)
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
