import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'
import { pgbk } from './world.js'

const paint = '\u001b['
const terminal = { columns: 80 }
let list: string[]
let fail: string[]
beforeAll(() => {
  const { root, ...layout } = anEmptyRoot()
  aBackup({ root, ...layout }, '20261120T030000Z', { label: 'a label '.repeat(20).trim() })
  list = ['list', '-C', root]
  fail = ['show', '20270101', '-C', root]
})

describe('colours', () => {
  it('are for terminals', async () => {
    expect((await pgbk(list, { terminal })).stdout).toContain(paint)
    expect((await pgbk(fail, { terminal })).stderr).toContain(paint)
  })

  it('are not for pipes', async () => {
    expect((await pgbk(list)).stdout).not.toContain(paint)
    expect((await pgbk(fail)).stderr).not.toContain(paint)
  })

  it.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }])('are off with %j', async (env) => {
    expect((await pgbk(list, { terminal, env })).stdout).not.toContain(paint)
    expect((await pgbk(fail, { terminal, env })).stderr).not.toContain(paint)
  })

  it('are off with --no-color, wherever it stands', async () => {
    for (const argv of [list, fail]) {
      for (const whole of [
        ['--no-color', ...argv],
        [...argv, '--no-color'],
      ]) {
        const { stdout, stderr } = await pgbk(whole, { terminal })
        expect(stdout + stderr).not.toContain(paint)
      }
    }
  })

  it('stay on with an empty NO_COLOR', async () => {
    expect((await pgbk(list, { terminal, env: { NO_COLOR: '' } })).stdout).toContain(paint)
  })
})

describe('the width', () => {
  it.each([80, 100])('is that of the terminal: %i', async (columns) => {
    const { stdout } = await pgbk([...list, '--no-color'], { terminal: { columns } })
    for (const line of stdout.split('\n').slice(0, 2)) expect(line.length).toBeLessThanOrEqual(columns)
    expect(stdout).toContain('…')
  })

  it('has no limit in a pipe', async () => expect((await pgbk(list)).stdout).not.toContain('…'))
})
