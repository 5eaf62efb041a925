import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, aFile, type MadeBackup } from '../helpers/backup.js'
import { localRun } from '../helpers/local-run.js'
import { giveOwnManager } from '../helpers/own-manager.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aFreePort } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { archiveWal, pgbkIn, refusal, restore } from '../helpers/restore.js'
import { aServer } from '../helpers/server.js'

const manager = 128
const told = `the WAL needs resource manager ${manager} of a library that is not loaded here (shared_preload_libraries of the server: auth_delay, auto_explain)`

describe('a server whose libraries a copy does not load', () => {
  let backup: MadeBackup
  let later: MadeBackup
  let lsn: string
  beforeAll(async () => {
    const server = await aServer({
      major: anyMajor,
      settings: { shared_preload_libraries: 'auth_delay, auto_explain' },
    })
    await server.sql('create extension pg_stat_statements')
    backup = await aBackupOf(server)
    await server.sql('create table later as select 42 as n; select pg_switch_wal()')
    lsn = await server.sql('select pg_current_wal_insert_lsn()')
    await server.sql(`select pg_logical_emit_message(false, 'of a library', 'x'); select pg_switch_wal()`)
    await server.sql('create table last (n int); select pg_switch_wal()')
    await archiveWal(server, backup)
    later = await aBackupOf(server)
    giveOwnManager(join(backup.directory, 'wal'), 'of a library', manager)
  }, 120_000)

  it('is told of in a run which of them it does without, unless they are loaded', async () => {
    const words = ['--', 'psql', '-XAtc', 'show shared_preload_libraries']
    const without = await localRun(backup.root, words)
    expect(without).toMatchObject({ status: 0, stdout: '' })
    expect(without.stderr).toMatch(/the server preloads auth_delay \(.*-c shared_preload_libraries=NAME/)
    const loading = await localRun(backup.root, ['-c', 'shared_preload_libraries=auth_delay', ...words])
    expect(loading).toMatchObject({ status: 0, stdout: 'auth_delay' })
    expect(loading.stderr).not.toContain('preloads')
  })

  it('has WAL that is not damaged where a library has written it', async () => {
    expect(await pgbkIn(backup.root, ['verify'])).toMatchObject({ status: 0 })
    const shown = await pgbkIn(backup.root, ['show', 'latest'])
    expect(shown.stdout).not.toMatch(/damaged|broken/)
  })

  it('is not proven for that, with the resource manager and what the server preloads', async () => {
    const { status, stdout } = await runPgbk(['verify', '--prove', '-C', backup.root])
    expect(status).toBe(7)
    expect(stdout).toContain(`not proven: it does not start: ${told}: resource manager with ID ${manager}`)
    const proof = JSON.parse(readFileSync(join(backup.directory, 'proof.json'), 'utf8'))
    expect(proof).toMatchObject({ ok: false, faults: [], unproven: [{ database: null }] })
  })

  it('says so wherever replay comes to that, and what to do', async () => {
    const port = String(await aFreePort())
    const ended = [
      localRun(backup.root, ['--json', '--to-latest']),
      restore(backup.root, ['--json', '--name', 'one']),
      restore(backup.root, ['--json', '-D', join(backup.root, 'main'), '--start', '--port', port]),
    ]
    for (const one of ended)
      expect(await refusal(one)).toMatchObject({
        code: 'failed',
        message: told,
        hint: expect.stringMatching(/-c shared_preload_libraries=NAME.*FATAL/s),
      })
  })

  it('can be had up to there, just before the first such record too', async () => {
    const words = ['--to-lsn', lsn, '--exclusive', '--', 'psql', '-XAtc', 'select n from later']
    expect(await localRun(backup.root, words)).toMatchObject({ status: 0, stdout: '42' })
  })

  it('is not proven, and not disproved, where a statement needs one of them', async () => {
    const sql = [{ statement: 'select count(*) from pg_stat_statements', expect: 0 }]
    const settings = JSON.stringify({ verify: { sql } })
    const config = await aFile(join(later.root, 'p.json'), settings)
    const words = ['verify', '--prove', '-C', later.root, '--config', config]
    const { status, stdout } = await runPgbk(words)
    expect({ status, stdout }).toEqual({
      status: 7,
      stdout: expect.stringMatching(/not proven: database \w+: pg_stat_statements must be loaded via/),
    })
  })
})
