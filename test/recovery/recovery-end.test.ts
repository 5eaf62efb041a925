import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { isInProduction } from '../../src/postgres/local/control-file.js'
import { checkRecoveryResult, readRecoveryEnd } from '../../src/recovery/recovery-end.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

function aPgWal(files: Record<string, string>): string {
  const directory = aDirectory()
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return directory
}

describe('the end of a recovery', () => {
  it('is the last line of the newest history file', () => {
    const pgWal = aPgWal({
      '00000002.history': '1\t0/3000000\tno recovery target specified\n',
      '0000000A.history': '1\t0/3000000\tno recovery target specified\n\n2\t1/5000060\tafter LSN 1/5000028\n',
      '000000010000000000000003': '',
    })
    expect(readRecoveryEnd(pgWal)).toEqual({ timeline: 10, lsn: '1/5000060', reason: 'after LSN 1/5000028' })
  })

  it.each([{}, { '00000002.history': '' }, { '00000002.history': 'nonsense\n' }])(
    'is unknown from %j',
    async (files) => {
      expect(await thrownBy(() => readRecoveryEnd(aPgWal(files)))).toMatchObject({ code: 'failed' })
    },
  )

  it('must not lie before what was wanted', async () => {
    const upTo = (requiredLsn: string) => ({ requiredLsn, notAfter: undefined })
    checkRecoveryResult(upTo('1/5000060'), '1/5000060', undefined)
    checkRecoveryResult(upTo('0/F0000000'), '1/5000060', undefined)
    const early = () => checkRecoveryResult(upTo('1/5000061'), '1/5000060', undefined)
    expect(await thrownBy(early)).toMatchObject({ code: 'damaged' })
  })

  it('must not have a commit that is newer than what was wanted', async () => {
    const plan = { requiredLsn: undefined, notAfter: '2026-11-20T15:04:00.000000Z' }
    checkRecoveryResult(plan, '1/0', '2026-11-20T15:04:00.000000Z')
    const late = () => checkRecoveryResult(plan, '1/0', '2026-11-20T15:04:00.000001Z')
    expect(await thrownBy(late)).toMatchObject({ code: 'damaged' })
  })
})

describe('pg_control', () => {
  it.each([
    [6, true],
    [5, false],
    [1, false],
  ])('with state %i: in production %s', (state, expected) => {
    const data = aDirectory()
    mkdirSync(join(data, 'global'))
    const bytes = Buffer.alloc(8192)
    new Uint32Array(bytes.buffer, bytes.byteOffset, 5)[4] = state
    writeFileSync(join(data, 'global/pg_control'), bytes)
    expect(isInProduction(data)).toBe(expected)
  })
})
