import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { armor, Encrypter } from 'age-encryption'
import { execaSync } from 'execa'
import { identitiesIn } from '../../src/encryption/identity-file.js'
import { newIdentity } from '../../src/encryption/new-identity.js'
import { silentProgress } from '../../src/progress.js'
import { aContext, thrownBy } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { alice, bob, protectedBy } from './samples.js'

const read = (text: string | Uint8Array, ask?: (question: string) => Promise<string>) =>
  identitiesIn(Buffer.from(text as string), 'key.txt', aContext({ askSecret: ask }))

describe('a file of identities', () => {
  it('may have several, comments and empty lines', async () => {
    const text = `# created: today\r\n# public key: x\n${alice.secret}\r\n\n  ${bob.secret}  \n# end`
    expect(await read(text)).toEqual([alice, bob])
  })

  it.each([
    ['nothing', '# a comment\n', 'key.txt has no identity'],
    [
      'a mistyped one',
      `\n${alice.secret.replace('GFPYY', 'GFPYZ')}\n`,
      'line 2 of key.txt is not an identity of age',
    ],
    ['a recipient', alice.recipient, 'line 1 of key.txt is a recipient'],
    ['an SSH key', '-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n', 'line 1 of key.txt is an SSH key'],
    [
      'the identity of a plugin',
      'AGE-PLUGIN-YUBIKEY-1QQQQ',
      'is the identity of an age plugin, which pgbk does not run',
    ],
    ['a post-quantum one', 'AGE-SECRET-KEY-PQ-1QQQQ', 'is a post-quantum identity'],
    ['something else', 'password=SECRET', 'is not an identity of age'],
  ])('with %s cannot be used, and what is in it is not told', async (_what, text, message) => {
    const error = await thrownBy(() => read(text))
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining(message) })
    expect(JSON.stringify([error.message, error.hint, error])).not.toMatch(/GFPY|SECRET$|b3Blbn/)
  })

  it.each(['binary', 'armored'])('is opened by its passphrase: %s', async (way) => {
    const bytes = await protectedBy('open it', `${alice.secret}\n`)
    const asked: string[] = []
    const answers = ['wrong', 'open it']
    const found = await read(way === 'binary' ? bytes : armor.encode(bytes), async (question) => {
      asked.push(question)
      return answers.shift() ?? ''
    })
    expect(found).toEqual([alice])
    expect(asked).toEqual(['Passphrase of key.txt: ', 'That was not it. Passphrase of key.txt: '])
  })

  it('is opened while something else goes on, and what takes so long is told', async () => {
    const bytes = await protectedBy('open it', alice.secret, 15)
    const told: string[] = []
    const progress = { ...silentProgress, step: (text: string) => void told.push(text) }
    let turns = 0
    const turning = setInterval(() => {
      turns += 1
    }, 1)
    const askSecret = async () => {
      turns = 0
      return 'open it'
    }
    await identitiesIn(Buffer.from(bytes), 'key.txt', aContext({ askSecret, progress }))
    clearInterval(turning)
    expect(told).toEqual(['opening key.txt with its passphrase'])
    expect(turns).toBeGreaterThan(3)
  })

  it('is called damaged, and not closed, where its passphrase is right', async () => {
    const bytes = Buffer.from(await protectedBy('open it', alice.secret))
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    const error = await thrownBy(() => read(bytes, async () => 'open it'))
    expect(error).toMatchObject({ code: 'config' })
    expect(error.message).toMatch(/^key\.txt cannot be opened: /)
  })

  it('that would take all memory is not opened', async () => {
    const text = Buffer.from(await protectedBy('open it', alice.secret)).toString('latin1')
    const hungry = Buffer.from(text.replace(/^(-> scrypt \S+) 10$/m, '$1 30'), 'latin1')
    expect(await thrownBy(() => read(hungry, async () => 'open it'))).toMatchObject({
      code: 'config',
      message: expect.stringContaining('its scrypt work factor is 30'),
    })
  })

  it('stays closed to a wrong passphrase, and where nobody can be asked', async () => {
    const bytes = await protectedBy('open it', alice.secret)
    expect(await thrownBy(() => read(bytes, async () => 'x'))).toMatchObject({
      code: 'config',
      message: 'this is not the passphrase of key.txt',
    })
    expect(await thrownBy(() => read(bytes))).toMatchObject({
      code: 'config',
      message: 'key.txt is protected by a passphrase, and there is no terminal to ask for it',
    })
  })

  it('is not opened where it is encrypted for a recipient', async () => {
    const encrypter = new Encrypter()
    encrypter.addRecipient(bob.recipient)
    const bytes = await encrypter.encrypt(alice.secret)
    expect(await thrownBy(() => read(bytes, async () => 'x'))).toMatchObject({
      message: 'key.txt is itself encrypted, and not by a passphrase',
    })
  })
})

needs('program age').it('a new identity has the recipient that age-keygen says it has', async () => {
  const { secret, recipient } = await newIdentity()
  const file = join(aDirectory(), 'key.txt')
  writeFileSync(file, `${secret}\n`)
  expect(execaSync('age-keygen', ['-y', file]).stdout).toBe(recipient)
})
