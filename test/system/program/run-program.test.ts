import { expect, it } from '@jest/globals'
import { runProgram } from '../../../src/system/program/run-program.js'

it('shows a line of any bytes at a time, where only a newline ends one, and collects none', async () => {
  const lines: string[] = []
  const script = `printf 'one\\rmore\\n\\n'; printf '\\303'; sleep 0.1; printf '\\244\\342\\200\\250x\\nlast'; exit 3`
  const options = { env: { PATH: process.env.PATH }, onLine: (line: string) => void lines.push(line) }
  const { status, stdout } = await runProgram('sh', ['-c', script], options)
  expect({ status, stdout, lines }).toEqual({
    status: 3,
    stdout: '',
    lines: ['one\rmore', '', 'ä\u2028x', 'last'],
  })
})

const env = { PATH: process.env.PATH }

it('hands its output to a reader, and ends what it has started when the reader fails', async () => {
  let bytes = 0
  const reading = async (output: AsyncIterable<Buffer>) => {
    for await (const piece of output) bytes += piece.length
  }
  const args = ['-c', 'head -c 300000 /dev/zero; exit 3']
  expect(await runProgram('sh', args, { env, readOutput: reading })).toMatchObject({ status: 3 })
  expect(bytes).toBe(300_000)
  const failing = async () => {
    throw new RangeError('enough')
  }
  const endless = runProgram('sh', ['-c', 'cat /dev/zero; sleep 100'], { env, readOutput: failing })
  await expect(endless).rejects.toThrow('enough')
})
