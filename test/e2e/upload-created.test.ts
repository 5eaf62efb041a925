import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { aFile } from '../helpers/backup.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'
import { idsIn } from '../helpers/traces.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const

needs(...needed).describe('create, where the configuration has stores', () => {
  let server: TestServer
  let root: string
  let near: string
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
  })
  beforeEach(async () => {
    root = await aRoot()
    near = aDirectory()
    await configure({ near: { url: near, upload: 'always' } })
  })
  const configure = (stores: object, further: object = {}) =>
    aFile(join(root, '.pgbkrc.json'), JSON.stringify({ root, stores, ...further }))
  const pgbk = (...args: string[]) => runPgbk(args, { cwd: root, env: server.env })
  const create = async (...args: string[]) => {
    const { status, stdout, stderr } = await pgbk('create', '--json', ...args)
    const { backup, uploads } = JSON.parse(stdout)
    return { status, stderr, id: backup?.id as string, uploads }
  }
  const status = async () => JSON.parse((await pgbk('status', '--json')).stdout)

  it('brings a backup there when it is made, and status tells what came last', async () => {
    const { status: ended, id, uploads } = await create()
    expect({ ended, uploads }).toMatchObject({
      ended: 0,
      uploads: [{ id, store: 'near', already_there: false, encrypted: false, error: null }],
    })
    expect(idsIn(near)).toEqual([id])
    const { stores, problems } = await status()
    expect(stores).toMatchObject([{ name: 'near', upload: 'always', last_backup: id, missing: [] }])
    expect(problems).toEqual([])
    expect((await pgbk('status')).stdout).toContain(`store near: ${id} since`)
    const metrics = (await pgbk('status', '--prometheus')).stdout
    expect(metrics).toContain(`pgbk_store_missing_backups{root="${root}",store="near"} 0`)
    expect((await pgbk('status', '--nagios')).stdout).toMatch(/store_near_age=\d+s;;;0 store_near_missing=0/)
  })

  it('keeps the backup when that fails, says and notes it, and tries again with the next one, the oldest first', async () => {
    await configure({ near: { url: near, upload: 'always' } }, { hooks: { on_warning: 'cat > warned' } })
    rmSync(near, { recursive: true })
    const first = await create()
    expect(first).toMatchObject({
      status: 0,
      stderr: expect.stringContaining(`${first.id} was not uploaded to near, the next create tries again`),
      uploads: [{ id: first.id, error: { code: 'not-found' } }],
    })
    expect(idsIn(root)).toEqual([first.id])
    expect(existsSync(join(root, 'warned'))).toBe(true)
    const { stores, problems } = await status()
    expect(stores).toMatchObject([{ last_backup: null, missing: [{ backup: first.id, sending: false }] }])
    expect(problems).toMatchObject([
      { severity: 'warning', text: expect.stringContaining(`${first.id} did not come into the store near`) },
    ])
    expect((await pgbk('status', '--nagios')).status).toBe(1)
    const judged = JSON.parse((await pgbk('prune', '--dry-run', '--default-policy', '--json')).stdout)
    expect(judged.kept[0].reasons).toContainEqual({
      rule: 'in use',
      detail: 'by the store near, which lacks it',
    })
    mkdirSync(near)
    await chmod(near, 0o777)
    const second = await create()
    expect(second.uploads).toMatchObject([
      { id: first.id, error: null },
      { id: second.id, error: null },
    ])
    expect(idsIn(near)).toEqual([first.id, second.id])
    expect((await status()).stores).toMatchObject([{ last_backup: second.id, missing: [] }])
  })

  it('leaves it alone where the store takes only scheduled ones, or that was said', async () => {
    await configure({ near: { url: near, upload: 'scheduled' } })
    expect((await create()).uploads).toBeUndefined()
    expect((await create('--scheduled', '--no-upload')).uploads).toBeUndefined()
    const { id, uploads } = await create('--scheduled')
    expect(uploads).toMatchObject([{ id, error: null }])
    expect(idsIn(near)).toEqual([id])
  })

  it('makes nothing with --upload where nobody can tell where to', async () => {
    await configure({})
    const { status: ended, stderr } = await pgbk('create', '--upload')
    expect({ ended, stderr }).toEqual({ ended: 2, stderr: expect.stringContaining('no store is named') })
    expect(idsIn(root)).toEqual([])
  })

  it('takes up a backup whose upload was killed', async () => {
    const { id } = await create('--no-upload')
    const note = {
      format: 1,
      stores: {
        near: { last: null, pending: [{ backup: id, since: '2026-11-20T03:00:00.000Z', error: null }] },
      },
    }
    await aFile(join(root, 'data/backup/.uploads.json'), JSON.stringify(note))
    expect((await status()).problems).toMatchObject([
      { text: expect.stringContaining('its upload was interrupted') },
    ])
    const { uploads } = await create()
    expect(uploads).toHaveLength(2)
    expect(idsIn(near)).toContain(id)
  })

  describe.each([['upload'], ['create']])('with recipients, by %s', (how) => {
    it('sends nothing in clear that can hold data, and age opens all of it', async () => {
      const key = join(aDirectory(), 'key.txt')
      await run(['age-keygen', '-o', key])
      const [, recipient = ''] = /public key: (\S+)/.exec(readFileSync(key, 'utf8')) ?? []
      await configure({ near: { url: near, upload: 'always', recipients: [recipient] } })
      const label = 'a secret label'
      const { id } = await create('--label', label, ...(how === 'upload' ? ['--no-upload'] : []))
      if (how === 'upload') expect((await pgbk('upload')).status).toBe(0)
      const there = join(near, 'data/backup', id)
      const inClear = ['backup.json', 'README']
        .map((name) => readFileSync(join(there, name), 'utf8'))
        .join('')
      for (const secret of [label, server.superuser, server.socket, 'testing'])
        expect(inClear).not.toContain(secret)
      await run([
        'sh',
        '-c',
        `cd ${there} && for f in *.age wal/*.age; do age -d -i ${key} -o "\${f%.age}" "$f" && rm "$f"; done`,
      ])
      expect((await runPgbk(['verify', '-C', near])).status).toBe(0)
    })
  })
})
