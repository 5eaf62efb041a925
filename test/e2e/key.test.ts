import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { alice, protectedBy } from '../encryption/samples.js'
import { atTerminal } from '../helpers/at-terminal.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

const keyNew = (cwd: string, ...args: string[]) => runPgbk(['key', 'new', ...args], { cwd })
const keyShow = (cwd: string, file: string) => runPgbk(['key', 'show', file], { cwd })

describe('pgbk key new', () => {
  it('writes an identity for its owner alone, and says for whom to encrypt and what its loss means', async () => {
    const cwd = aDirectory()
    const { status, stdout } = await keyNew(cwd)
    const file = join(cwd, 'pgbk-key.txt')
    const [recipient = ''] = /^ {2}(age1\S+)$/m.exec(stdout)?.slice(1) ?? []
    expect(status).toBe(0)
    expect(stdout).toContain(`Wrote an identity to ${file}, for you alone to read (mode 0600).`)
    expect(stdout).toContain('Without this file nobody can read what is encrypted for it')
    expect(stdout).not.toContain('AGE-SECRET-KEY')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect((await keyShow(cwd, 'pgbk-key.txt')).stdout).toBe(recipient)
  })

  needs('program age').it('makes what age decrypts with', async () => {
    const cwd = aDirectory()
    const { stdout: recipient } = await keyNew(cwd, 'mine', '-q')
    const file = join(cwd, 'mine')
    const encrypted = execaSync('age', ['-r', recipient.trim()], {
      input: 'hello',
      encoding: 'buffer',
    }).stdout
    expect(execaSync('age', ['-d', '-i', file], { input: encrypted }).stdout).toBe('hello')
    expect(execaSync('age-keygen', ['-y', file]).stdout).toBe(recipient.trim())
  })

  needs('root').it('of root tells the user whom pgbk works as how to get a copy', async () => {
    const cwd = aDirectory()
    const closed = join(cwd, 'closed')
    await keyNew(cwd, 'mine')
    mkdirSync(closed, { mode: 0o700 })
    renameSync(join(cwd, 'mine'), join(closed, 'mine'))
    chownSync(closed, 0, 0)
    expect(await keyShow(cwd, 'closed/mine')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(
        new RegExp(
          `^pgbk: user ${ordinaryUser.name} cannot read \\S+/closed/mine\n(.*\n)*  install -m 600 -o ${ordinaryUser.name} `,
        ),
      ),
    })
  })

  it('overwrites nothing', async () => {
    const cwd = aDirectory()
    const { stdout } = await keyNew(cwd, 'mine', '--json')
    const before = readFileSync(join(cwd, 'mine'), 'utf8')
    expect(JSON.parse(stdout)).toEqual({
      key: { file: join(cwd, 'mine'), recipients: [expect.stringMatching(/^age1/)] },
    })
    symlinkSync('nowhere', join(cwd, 'link'))
    for (const name of ['mine', 'link'])
      expect(await keyNew(cwd, name)).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('is there already, and no key is ever overwritten'),
      })
    expect(readFileSync(join(cwd, 'mine'), 'utf8')).toBe(before)
  })

  it('makes none where others could put another in its place', async () => {
    const cwd = aDirectory()
    chmodSync(cwd, 0o777)
    expect(await keyNew(cwd)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('can be written by others'),
    })
  })
})

describe('pgbk key show', () => {
  function aKeyFile(mode: number): { cwd: string; file: string } {
    const cwd = aDirectory()
    const file = join(cwd, 'key.txt')
    writeFileSync(file, `# mine\n${alice.secret}\n`)
    if (isRoot) chownSync(file, ordinaryUser.uid, ordinaryUser.gid)
    chmodSync(file, mode)
    return { cwd, file }
  }

  it.each([0o644, 0o640, 0o604, 0o660, 0o666])(
    'refuses a file with mode %o, with the command that closes it',
    async (mode) => {
      const { cwd, file } = aKeyFile(mode)
      const { status, stdout, stderr } = await keyShow(cwd, 'key.txt')
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
      expect(stderr).toMatch(/can be (read|written) by others/)
      expect(stderr).toContain(`chmod 600 ${file}`)
      expect(stderr).not.toContain('GFPYY')
    },
  )

  it.each([0o644, 0o604])(
    'warns of a file with mode %o that a passphrase protects, as age -p -o makes it, and asks for that',
    async (mode) => {
      const { cwd, file } = aKeyFile(mode)
      writeFileSync(file, await protectedBy('open it', alice.secret))
      const typed = [{ asked: `Passphrase of ${file}: `, keys: 'open it\r' }]
      const { status, said } = await atTerminal(['key', 'show', join(cwd, 'key.txt')], typed)
      expect({ status, said }).toEqual({ status: 0, said: expect.stringContaining(alice.recipient) })
      const text = said.replaceAll(/\s+/g, ' ')
      expect(text).toContain(`${file} can be read by others (mode ${mode.toString(8)}), who can try`)
      expect(text).toContain(`chmod 600 ${file}`)
      expect(text).not.toContain('can decrypt your backups')
    },
  )

  it('refuses one that a passphrase protects where others can put another in its place', async () => {
    const { cwd, file } = aKeyFile(0o666)
    writeFileSync(file, await protectedBy('open it', alice.secret))
    expect(await keyShow(cwd, 'key.txt')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('can be written by others'),
    })
  })

  it('prints the recipient of each', async () => {
    const { cwd } = aKeyFile(0o400)
    expect(await keyShow(cwd, 'key.txt')).toMatchObject({ status: 0, stdout: alice.recipient })
  })

  it('says of a file that is not there that it cannot be read', async () => {
    expect(await keyShow(aDirectory(), 'none')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('none: ENOENT'),
    })
  })
})
