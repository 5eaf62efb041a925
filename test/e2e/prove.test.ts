import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, aCopyOf, aFile, aTwinOf, type MadeBackup } from '../helpers/backup.js'
import { aBackupIn, type Form, forms, formsOnMajors, inForms } from '../helpers/forms.js'
import { runPgbk } from '../helpers/pgbk.js'
import { serverRuns } from '../helpers/program-of-server.js'
import { anyMajor, majors, run } from '../helpers/programs.js'
import { aServer, fill, type TestServer } from '../helpers/server.js'
import { fingerprint } from '../helpers/tree.js'
import { ifRoot } from '../helpers/users.js'

const proofOf = ({ directory }: MadeBackup) => JSON.parse(readFileSync(join(directory, 'proof.json'), 'utf8'))

describe.each(formsOnMajors(majors))('a proof of a %s backup of PostgreSQL %i', (form, major) => {
  it('is that it starts, with every database and its own statements, and leaves it as it was', async () => {
    const server = await aServer({ major })
    await fill(server)
    const backup = await aBackupIn(form, server)
    const before = fingerprint(backup.directory)
    const sql = [
      { statement: 'SELECT count(*) FROM ledger', expect: 1000, database: 'app' },
      { statement: 'SELECT true', expect: true },
      { statement: "SELECT 'text'", expect: 'text' },
    ]
    const config = await configIn(backup.root, sql)
    const { status, stdout, stderr } = await runPgbk([
      'verify',
      '--prove',
      '-C',
      backup.root,
      '--config',
      config,
      '--json',
    ])
    expect({ status, stderr: /error/i.test(stderr) }).toEqual({ status: 0, stderr: false })
    const [check] = JSON.parse(stdout).checks
    expect(check).toMatchObject({ ok: true, faults: [], proof: { ok: true, faults: [] } })
    expect(check.proof.ready_ms).toBeGreaterThan(0)
    expect(proofOf(backup)).toEqual(check.proof)
    expect((await runPgbk(['list', '-C', backup.root])).stdout).toMatch(/proven just now, ready in/)
    rmSync(join(backup.directory, 'proof.json'))
    expect(fingerprint(backup.directory)).toBe(before)
  })
})

let server: TestServer
let backups: Record<Form, MadeBackup>
beforeAll(async () => {
  server = await aServer({ major: anyMajor })
  await server.sql('CREATE TABLE ledger AS SELECT generate_series(1, 5000) AS n')
  backups = await inForms(await aBackupOf(server))
}, 120_000)

describe.each(forms)('a proof of a %s backup', (form) => {
  const aFurtherOne = () => aCopyOf(backups[form])
  const packed = form === 'packed' ? ['--packed'] : []

  it('that fails is told, kept, and makes latest skip the backup', async () => {
    const first = await aFurtherOne()
    const second = await aTwinOf(first, '20990101T000000Z')
    const env = {
      PGBK_CONFIG: await configIn(first.root, [{ statement: 'SELECT count(*) FROM ledger', expect: 4 }]),
    }
    const { status, stdout } = await runPgbk(['verify', '--prove', '-C', first.root], { env })
    expect(status).toBe(6)
    expect(stdout).toContain('SELECT count(*) FROM ledger gives 5000 instead of 4')
    expect(proofOf(second)).toMatchObject({ ok: false, postgres_version: expect.stringMatching(/^\d/) })
    const shown = await runPgbk(['show', 'latest', '-C', first.root, '--json'])
    expect(JSON.parse(shown.stdout).backup.id).toBe(first.record.id)
    expect(shown.stderr).toContain(`latest skips ${second.record.id}`)
  })

  it('that fails is told by a create that nobody watches', async () => {
    const { root } = await aFurtherOne()
    const config = await configIn(root, [{ statement: 'SELECT 1 / 0', expect: 1 }])
    const words = ['create', '--prove', ...packed, '--quiet', '-C', root, '--config', config]
    const { status, stdout } = await runPgbk(words, { env: server.env })
    expect(status).toBe(6)
    expect(stdout).toMatch(/^Backup \d{8}T\d{6}Z is not proven: .*division by zero \(SELECT 1 \/ 0\)\n?$/)
  })

  it('is not even tried on damaged files, and says which', async () => {
    const backup = await aFurtherOne()
    const name = form === 'plain' ? 'snapshot/data/global/pg_filenode.map' : 'snapshot.squashfs'
    const file = join(backup.directory, name)
    const bytes = readFileSync(file)
    bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100)
    writeFileSync(file, bytes)
    const { status } = await runPgbk(['verify', '--prove', '-C', backup.root])
    expect(status).toBe(6)
    expect(proofOf(backup)).toMatchObject({
      ok: false,
      faults: [expect.stringContaining(name)],
      ready_ms: null,
    })
  })

  it('is none when another process has ended its run: nothing is said of the backup', async () => {
    const backup = await aFurtherOne()
    const stop = serverRuns('kill -INT $(head -1 postmaster.pid)')
    const config = await configIn(backup.root, [
      { statement: stop, expect: '' },
      { statement: 'SELECT pg_sleep(60)', expect: '' },
    ])
    const { status, stderr } = await runPgbk(['verify', '--prove', '-C', backup.root, '--config', config])
    expect(status).toBe(1)
    expect(stderr).toMatch(/the run \d{8}T\d{6}Z-\d{5} was (ended by another pgbk|told to stop)/)
    expect(existsSync(join(backup.directory, 'proof.json'))).toBe(false)
    expect(existsSync(join(backup.root, 'data/run')) && readdirSync(join(backup.root, 'data/run'))).toEqual(
      [],
    )
  })

  it('that fails is kept, whatever the data writes into the log', async () => {
    const backup = await aFurtherOne()
    const raise = "DO $$ BEGIN RAISE LOG 'received fast shutdown request'; END $$; SELECT 1"
    const config = await configIn(backup.root, [
      { statement: raise, expect: 1 },
      { statement: "SELECT 'No space left'", expect: 'locale' },
    ])
    const { status } = await runPgbk(['verify', '--prove', '-C', backup.root, '--config', config])
    expect(status).toBe(6)
    expect(proofOf(backup)).toMatchObject({ ok: false, faults: [expect.stringContaining('No space left')] })
  })

  it('comes with create --prove', async () => {
    const { root } = await aFurtherOne()
    const { status, stdout } = await runPgbk(['create', '--prove', ...packed, '--json', '-C', root], {
      env: server.env,
    })
    expect(status).toBe(0)
    expect(JSON.parse(stdout).backup.proof).toMatchObject({ ok: true })
  })

  ifRoot('that root makes belongs to the owner of the backup', async () => {
    const backup = await aFurtherOne()
    const { status } = await runPgbk(['verify', '--prove', '-C', backup.root], { asRoot: true })
    expect(status).toBe(0)
    const { stdout } = await run(['cat', join(backup.directory, 'proof.json')])
    expect(JSON.parse(stdout)).toMatchObject({ ok: true })
  })
})

function configIn(root: string, sql: object[]): Promise<string> {
  return aFile(join(root, 'own.json'), JSON.stringify({ verify: { sql } }))
}
