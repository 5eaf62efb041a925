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
