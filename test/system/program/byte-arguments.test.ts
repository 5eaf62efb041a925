import { describe, expect, it } from '@jest/globals'
import { byteCommand } from '../../../src/system/program/byte-arguments.js'
import { runProgram } from '../../../src/system/program/run-program.js'
import { textOf } from '../../../src/text/raw-text.js'

const raw = Buffer.from([0x64, 0xe9, 0x0a, 0x0a])

describe('the arguments of a program', () => {
  it('reach it byte for byte, also beside one that is no UTF-8', async () => {
    const args = ['%s|', "it's \\0101 $HOME `id`", 'a\n\n', '', '-n', 'é', textOf(raw)]
    const { stdout } = await runProgram('printf', args, { env: { LC_ALL: 'C' }, bytewise: true })
    const said = [...args.slice(1, -1).map((text) => Buffer.from(text)), raw]
    const expected = Buffer.concat(said.flatMap((bytes) => [bytes, Buffer.from('|')]))
    expect(Buffer.from(stdout, 'latin1')).toEqual(expected)
  })

  it('go to it directly when all of them are texts', () => {
    expect(byteCommand('psql', ['--version', 'é'])).toEqual(['psql', ['--version', 'é']])
  })
})
