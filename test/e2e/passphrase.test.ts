import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { alice, protectedBy } from '../encryption/samples.js'
import { atTerminal } from '../helpers/at-terminal.js'
import { aBackupOf, aFile } from '../helpers/backup.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aRoot, aServer } from '../helpers/server.js'
import { ordinaryUser } from '../helpers/users.js'

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const

needs(...needed, 'program script').describe('a passphrase is asked for at the terminal', () => {
  let configuration: string
  let key: string
  let store: string
  beforeAll(async () => {
    const { root } = await aBackupOf(await aServer({ major: anyMajor }), { args: ['--packed'] })
    key = join(root, 'key.age')
    await aFile(key, '')
    writeFileSync(key, await protectedBy('open it', alice.secret))
    store = aDirectory()
    const far = { url: store, recipients: [alice.recipient], identity: key }
    configuration = await aFile(join(root, 'pgbk.json'), JSON.stringify({ root, stores: { far } }))
    const { status, stderr } = await runPgbk(['upload', '--config', configuration, '--to', 'far'])
    if (status !== 0) throw new Error(stderr)
  })
  const question = () => `Passphrase of ${key}: `

  it.each([
    ['show latest', []],
    ['verify latest', []],
    ['verify latest --read', []],
    ['download latest', []],
    ['local-run latest', ['--', 'true']],
    ['local-run latest --download', ['--', 'true']],
    ['restore --name one --no-start', []],
    ['restore -D DIR', []],
    ['restore -D DIR --download', []],
  ])('once, by %s, also where the store and the caller name the same identity', async (line, command) => {
    const root = await aRoot()
    await run(['mkdir', '-p', join(root, 'data/backup')])
    const data = join(aDirectory(), 'data')
    const [name = '', ...words] = line.replace('DIR', data).split(' ')
    const options = ['--from', 'far', '--config', configuration, '-C', root, '--identity', key]
    const typed = [{ asked: question(), keys: 'open it\r' }]
    const { status, said, left } = await atTerminal([name, ...words, ...options, ...command], typed)
    if (status !== 0) throw new Error(said)
    expect(left).toEqual([])
    expect(said.split('Passphrase of')).toHaveLength(2)
    expect(said).not.toContain('open it')
    if (line.includes('DIR')) expect(existsSync(join(data, 'PG_VERSION'))).toBe(true)
  })

  it('again after a wrong one, until Ctrl-C', async () => {
    const typed = [
      { asked: question(), keys: 'close it\r' },
      { asked: `That was not it. ${question()}`, keys: '\x03' },
    ]
    const words = ['show', 'latest', '--from', 'far', '--config', configuration]
    expect(await atTerminal(words, typed)).toMatchObject({
      status: 130,
      left: [],
      said: expect.stringContaining('interrupted'),
    })
  })

  needs('root').it('when root restores into a directory of another user', async () => {
    const data = join(aDirectory(), 'data')
    mkdirSync(data)
    chownSync(data, ordinaryUser.uid, ordinaryUser.gid)
    const words = ['restore', '--from', store, '-D', data, '--identity', key]
    const typed = [{ asked: question(), keys: 'open it\r' }]
    const { status, said, left } = await atTerminal(words, typed, { asRoot: true })
    if (status !== 0) throw new Error(said)
    expect(left).toEqual([])
    expect(existsSync(join(data, 'PG_VERSION'))).toBe(true)
  })
})
