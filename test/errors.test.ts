import { readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from '@jest/globals'
import { exitStatuses, isUnexpected, messageOf, PgbkError, pgbkErrorFrom, systemCode } from '../src/errors.js'
import { thrownBy } from './catalog/samples.js'

const codesWith = (status: number) =>
  Object.entries(exitStatuses)
    .filter(([, own]) => own === status)
    .map(([code]) => code)

describe('exit statuses', () => {
  it.each([
    [2, ['usage', 'config', 'wrong-cluster']],
    [3, ['not-found']],
    [4, ['locked']],
    [5, ['unreachable', 'refused']],
    [6, ['check-failed']],
    [126, ['command-not-runnable']],
    [127, ['command-not-found']],
    [129, ['hung-up']],
    [130, ['interrupted']],
    [143, ['terminated']],
  ])('%i means %j', (status, codes) => expect(codesWith(status)).toEqual(codes))

  it('are 1 for everything else that fails', () => {
    expect(codesWith(1)).toContain('failed')
    expect(codesWith(0)).toEqual([])
  })
})

describe('PgbkError', () => {
  it('carries its code, hint, cause and exit status', () => {
    const cause = new RangeError('why')
    const error = new PgbkError('locked', 'another pgbk is at work', { hint: 'Wait.', cause })
    expect(error).toMatchObject({ code: 'locked', message: 'another pgbk is at work', hint: 'Wait.', cause })
    expect(error.exitStatus).toBe(4)
  })

  it('has no cause of its own when none is given', () => {
    expect('cause' in new PgbkError('failed', 'it failed')).toBe(false)
  })
})

describe('systemCode', () => {
  it('finds the code of an error of the operating system', async () => {
    expect(systemCode(await thrownBy(() => readFileSync('/no/such/file')))).toBe('ENOENT')
    expect(systemCode(await thrownBy(() => readFile('/no/such/file')))).toBe('ENOENT')
  })

  it.each([['ENOENT'], [undefined], [null], [{ code: 'ENOENT' }], [new Error('plain')]])(
    'finds none in %p',
    (value) => expect(systemCode(value)).toBeUndefined(),
  )
})

describe('any thrown value', () => {
  it('is our error: a path that cannot be used by what is wrong with it, all else as unexpected', async () => {
    const path = `${import.meta.filename}/x`
    const wrong = await thrownBy(() => readFileSync(path))
    expect(pgbkErrorFrom(wrong).message).toBe(`cannot use ${path}: a part of it is not a directory`)
    expect(isUnexpected(wrong)).toBe(false)
    const fault = new TypeError('x is undefined')
    expect(pgbkErrorFrom(fault)).toMatchObject({
      code: 'failed',
      message: 'unexpected error: x is undefined',
    })
    expect([fault, new PgbkError('usage', 'x')].map(isUnexpected)).toEqual([true, false])
  })

  it('says that a disk is full wherever that was met, and what to do', async () => {
    const full = await thrownBy(() => writeFileSync('/dev/full', 'x'))
    expect(pgbkErrorFrom(full)).toMatchObject({
      code: 'disk-full',
      message: 'cannot write: the disk is full',
      hint: expect.stringContaining('Make room there'),
    })
    expect(isUnexpected(full)).toBe(false)
  })
})

describe('messageOf', () => {
  it('is the first line of what an error says', async () => {
    expect(messageOf(new Error('first\nsecond'))).toBe('first')
    expect(messageOf(await thrownBy(() => readFileSync('/no/such/file')))).toMatch(/^ENOENT: no such file/)
  })

  it('takes whatever was thrown', () =>
    expect([messageOf('a text'), messageOf(42)]).toEqual(['a text', '42']))
})
