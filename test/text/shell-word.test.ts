import { describe, expect, it } from '@jest/globals'
import { databaseWord, shellWord } from '../../src/text/shell-word.js'
import { thrownBy } from '../catalog/samples.js'
import { seed } from '../helpers/chance.js'
import { needs } from '../helpers/needs.js'
import { oddTexts } from '../helpers/odd-texts.js'
import { anyMajor, attempt, run } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'

const shells = [['sh'], ['dash'], ['bash'], ['bash', '--posix'], ['busybox', 'sh'], ['zsh', '-f']]

describe('a word', () => {
  for (const shell of shells)
    needs(`program ${shell[0]}`).it.each([shell])(
      `is for %s %s what it was before (seed ${seed})`,
      async (...words) => {
        const texts = [...oddTexts(words.join()), '']
        const script = `printf '%s\\0' ${texts.map(shellWord).join(' ')}`
        const { stdout } = await run([...words, '-c', script])
        expect(stdout.split('\0').slice(0, -1)).toEqual(texts)
      },
    )

  it('can be quoted twice, as for ssh', async () => {
    const texts = oddTexts('twice')
    const inner = `printf '%s\\0' ${texts.map(shellWord).join(' ')}`
    const { stdout } = await run(['sh', '-c', `exec sh -c ${shellWord(inner)}`])
    expect(stdout.split('\0').slice(0, -1)).toEqual(texts)
  })

  it('has no zero byte', async () =>
    expect(await thrownBy(() => shellWord('a\0b'))).toMatchObject({ code: 'failed' }))
})

describe("a database's name on the command line of psql", () => {
  it('is as it was where it can be taken for nothing else', () => {
    for (const name of ['app', 'strange name', 'größe']) expect(databaseWord(name)).toBe(shellWord(name))
  })

  it('leads to that database, and is neither an option nor a connection string', async () => {
    const server = await aServer({ major: anyMajor })
    const names = [
      '-c\\! touch /tmp/x',
      '--help',
      "host=nowhere user='x'",
      'postgresql://nowhere/x',
      "a=b\\' c",
    ]
    for (const name of names) {
      await server.sql(`create database "${name}"`)
      const psql = `${server.bin}/psql -XAt -h ${server.socket} -p ${server.port} -U focker ${databaseWord(name)}`
      const { stdout } = await attempt(['sh', '-c', psql], {
        input: 'select current_database()',
        stdin: undefined,
      })
      expect(stdout).toBe(name)
    }
  })
})
