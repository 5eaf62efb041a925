import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals'
import { aBackup, aFile, aTwinOf, entriesBelow, type MadeBackup } from '../helpers/backup.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { aServer, openSnapshot, type TestServer } from '../helpers/server.js'
import { ordinaryUser } from '../helpers/users.js'

const roots: string[] = []

/** A directory that belongs to root. */
function aRootOfRoot(mode = 0o755): string {
  const root = mkdtempSync(join(tmpdir(), 'pgbk-root-'))
  chmodSync(root, mode)
  roots.push(root)
  return root
}

const owner = (path: string) => statSync(path).uid

/** What in a directory does not belong to the ordinary user. */
function foreign(directory: string): string[] {
  const paths = entriesBelow(directory).filter((entry) => !entry.isSymbolicLink())
  return paths
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => owner(path) !== ordinaryUser.uid)
}

const asTheRootUser = () => {
  let server: TestServer
  let env: Record<string, string>
  let root: string
  beforeAll(async () => {
    const hba = 'local all all peer\nlocal replication all peer\n'
    server = await aServer({ major: anyMajor, superuser: ordinaryUser.name, hba })
    env = {
      PGHOST: server.socket,
      PGPORT: String(server.port),
      HOME: '/root',
      XDG_CONFIG_HOME: '/root/.config',
    }
  })
  beforeEach(() => {
    root = aRootOfRoot()
  })
  afterAll(() => {
    for (const directory of roots) rmSync(directory, { recursive: true, force: true })
  })

  const create = (): Promise<MadeBackup> => aBackup({ root, env, asRoot: true })

  it('connects by peer authentication as the user it works as', async () => {
    const { record } = await create()
    expect(record).toMatchObject({ superuser: ordinaryUser.name, server: { host: server.socket } })
  })

  it('makes files of that user, and leaves the owner of the root as it is', async () => {
    const { snapshot } = await create()
    expect(owner(root)).toBe(0)
    expect(owner(join(root, 'data'))).toBe(ordinaryUser.uid)
    expect(foreign(root)).toEqual([])
    const copy = await openSnapshot(snapshot, anyMajor, ordinaryUser.name)
    expect(await copy.sql('select 1')).toBe('1')
    await copy.stop()
  })

  it('leaves the owner of existing directories as it is', async () => {
    mkdirSync(join(root, 'data'))
    mkdirSync(join(root, 'data/backup'))
    chownSync(join(root, 'data/backup'), ordinaryUser.uid, ordinaryUser.gid)
    await create()
    expect([root, join(root, 'data')].map(owner)).toEqual([0, 0])
    expect(foreign(join(root, 'data/backup'))).toEqual([])
  })

  it('makes a root that is not there, when its parent is', async () => {
    root = join(root, 'new')
    await create()
    expect(owner(root)).toBe(ordinaryUser.uid)
  })

  it('uses the home directory of that user, not the one of root', async () => {
    const { status, stderr } = await runPgbk(['create', '-C', root, '-h', '127.0.0.1'], {
      env: { PGPORT: env.PGPORT ?? '', HOME: await aDirectoryWith('.pgpass', '*:*:*:*:wrong') },
      asRoot: true,
    })
    expect(status).toBe(5)
    expect(stderr).toContain('no pg_hba.conf entry')
  })

  it('lists and shows without becoming anybody', async () => {
    const { record } = await create()
    const list = await runPgbk(['list', '-C', root, '--json'], { asRoot: true })
    expect(JSON.parse(list.stdout).backups.map(({ id }: { id: string }) => id)).toEqual([record.id])
    expect((await runPgbk(['show', record.id, '-C', root], { asRoot: true })).status).toBe(0)
  })

  it('deletes, and what it leaves belongs to the owner', async () => {
    const backup = await create()
    await aTwinOf(backup, '20250101T000000Z')
    const { status } = await runPgbk(['delete', '20250101T000000Z', '-C', root], { asRoot: true })
    expect(status).toBe(0)
    expect(owner(join(root, 'data/backup/.catalog.lock'))).toBe(ordinaryUser.uid)
    expect(foreign(root)).toEqual([])
  })

  it('refuses a user that there is not', async () => {
    const { status, stderr } = await runPgbk(['create', '-C', root], {
      env: { ...env, PGBK_RUN_AS: 'nobody-of-that-name' },
      asRoot: true,
    })
    expect(status).toBe(2)
    expect(stderr).toContain('no operating-system user nobody-of-that-name')
    expect(stderr).toContain('run_as')
  })

  it('says which directory that user cannot enter', async () => {
    const closed = aRootOfRoot(0o700)
    mkdirSync(join(closed, 'backups'))
    const { status, stderr } = await runPgbk(['create', '-C', join(closed, 'backups')], { env, asRoot: true })
    expect(status).toBe(1)
    expect(stderr).toContain(`user ${ordinaryUser.name} cannot`)
    expect(stderr).toContain(closed)
    expect(stderr).not.toContain('unexpected')
    expect(entriesBelow(closed).map(({ name }) => name)).toEqual(['backups'])
  })
}

async function aDirectoryWith(name: string, content: string): Promise<string> {
  const directory = aDirectory()
  await aFile(join(directory, name), content)
  return directory
}

needs('root').describe('started by root, pgbk', asTheRootUser)
