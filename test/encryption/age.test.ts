import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { decrypting } from '../../src/encryption/decrypt.js'
import { encrypting } from '../../src/encryption/encrypt.js'
import { newFileKey } from '../../src/encryption/file-key.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { allOf, aPlainFile, inPieces, sample, sizes, withIdentities } from './samples.js'

/** The program of the age project itself. */
const age = (args: string[], input: Buffer) =>
  Buffer.from(execaSync('age', args, { input, encoding: 'buffer' }).stdout)

needs('program age').describe('the age program', () => {
  let keys: { file: string; secret: string; recipient: string }[]
  beforeAll(() => {
    const directory = aDirectory()
    keys = [1, 2, 3].map((number) => {
      const file = join(directory, `key-${number}.txt`)
      execaSync('age-keygen', ['-o', file])
      const [, secret = ''] = /^(AGE-SECRET-KEY-.*)$/m.exec(readFileSync(file, 'utf8')) ?? []
      return { file, secret, recipient: execaSync('age-keygen', ['-y', file]).stdout.trim() }
    })
  })

  it.each(sizes)(
    'decrypts what pgbk has encrypted for three, with any key of them: %d bytes',
    async (bytes) => {
      const plain = sample(bytes)
      const key = await newFileKey(keys.map(({ recipient }) => recipient))
      const file = encrypting(aPlainFile(plain), key)
      const encrypted = await allOf(file.read(0, file.bytes))
      expect(encrypted.length).toBe(file.bytes)
      for (const { file: keyFile } of keys)
        expect(age(['-d', '-i', keyFile], encrypted).equals(plain)).toBe(true)
    },
  )

  it.each(sizes)('has encrypted for two what pgbk decrypts with either: %d bytes', async (bytes) => {
    const plain = sample(bytes)
    const recipients = keys.slice(0, 2).flatMap(({ recipient }) => ['-r', recipient])
    const encrypted = age(recipients, plain)
    for (const { secret, recipient } of keys.slice(0, 2)) {
      const opened = decrypting(inPieces(encrypted), withIdentities([{ secret, recipient }]), 'a file')
      expect((await allOf(opened)).equals(plain)).toBe(true)
    }
  })
})
