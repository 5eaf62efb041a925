import { PassThrough } from 'node:stream'
import { describe, expect, it } from '@jest/globals'
import { PgbkError } from '../../src/errors.js'
import { askSecret, askYesOrNo } from '../../src/terminal/ask.js'
import { thrownBy } from '../catalog/samples.js'
import { commandsOfTerminals, hasCommands } from './screens.js'

/** Asks somebody who types this; null is the end of the input. */
async function ask(typed: string | null, question = 'Delete it?', signal = new AbortController().signal) {
  const input = new PassThrough()
  const output = new PassThrough()
  if (typed === null) input.end()
  else if (typed !== '') input.write(typed)
  const streams = [input as unknown as NodeJS.ReadStream, output as unknown as NodeJS.WriteStream] as const
  const answer = await askYesOrNo(question, ...streams, signal)
  return { answer, shown: String(output.read()) }
}

describe('a question', () => {
  it.each(['y\n', 'yes\n', 'YES\n', ' y \n'])('is answered with yes by %j', async (typed) => {
    expect((await ask(typed)).answer).toBe(true)
  })

  it.each(['\n', 'n\n', 'no\n', 'yess\n', 'sure\n', null])('is answered with no by %j', async (typed) => {
    expect((await ask(typed)).answer).toBe(false)
  })

  it('shows that no is what Enter means', async () => {
    expect((await ask('y\n')).shown).toContain('Delete it? [y/N] ')
  })

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new PgbkError('interrupted', 'interrupted')), 20)
    expect(await thrownBy(() => ask('', 'Delete it?', controller.signal))).toMatchObject({
      code: 'interrupted',
    })
  })

  it('keeps its lines, and lets no label in it command the terminal', async () => {
    const { shown } = await ask('n\n', `  20261120T030000Z  ${commandsOfTerminals}\nDelete this backup?`)
    expect(shown).toContain('\nDelete this backup? [y/N] ')
    expect(hasCommands(shown)).toBe(false)
  })
})

describe('a question for a secret', () => {
  async function askFor(typed: string, signal = new AbortController().signal) {
    const [input, output] = [new PassThrough(), new PassThrough()]
    input.write(typed)
    const streams = [input as unknown as NodeJS.ReadStream, output as unknown as NodeJS.WriteStream] as const
    const answer = await askSecret('Passphrase of key.txt: ', ...streams, signal)
    return { answer, shown: String(output.read()) }
  }

  it('gets the line as it was typed, and shows nothing of it', async () => {
    const { answer, shown } = await askFor(' open  ität \r')
    expect(answer).toBe(' open  ität ')
    expect(shown).toBe('Passphrase of key.txt: \n')
  })

  it('is put when the terminal has stopped to show what is typed', async () => {
    const steps: string[] = []
    const input = Object.assign(new PassThrough(), {
      setRawMode: (isRaw: boolean) => void steps.push(isRaw ? 'hidden' : 'shown'),
    })
    const output = new PassThrough()
    output.on('data', (chunk) => steps.push(String(chunk)))
    input.write('open it\r')
    const streams = [input as unknown as NodeJS.ReadStream, output as unknown as NodeJS.WriteStream] as const
    await askSecret('Passphrase: ', ...streams, new AbortController().signal)
    expect(steps).toEqual(['hidden', 'Passphrase: ', '\n', 'shown'])
  })

  it('takes back what was typed wrong', async () => expect((await askFor('abx\x7fc\r')).answer).toBe('abc'))

  it('ends with Ctrl-C, and with Ctrl-D is empty', async () => {
    expect(await thrownBy(() => askFor('ab\x03'))).toMatchObject({ code: 'interrupted' })
    expect((await askFor('\x04')).answer).toBe('')
  })

  it('ends with the reason of the signal', async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(new PgbkError('terminated', 'terminated')), 20)
    expect(await thrownBy(() => askFor('ab', controller.signal))).toMatchObject({ code: 'terminated' })
  })
})
