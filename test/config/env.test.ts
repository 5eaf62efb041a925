import { describe, expect, it } from '@jest/globals'
import { withEnvironment } from '../../src/config/env.js'
import { parseConfig } from '../../src/config/schema.js'

describe('the environment', () => {
  it('is laid over what a file says, key by key', () => {
    const file = { root: '/file', create: { checkpoint: 'spread', max_rate: '1M' } }
    const env = { PGBK_ROOT: '/env', PGBK_CREATE_MAX_RATE: '50M' }
    expect(withEnvironment(file, env)).toEqual({
      root: '/env',
      create: { checkpoint: 'spread', max_rate: '50M' },
    })
  })

  it('does not change what it was given', () => {
    const file = { create: { verify: true } }
    withEnvironment(file, { PGBK_CREATE_VERIFY: 'false' })
    expect(file).toEqual({ create: { verify: true } })
  })

  it('counts an empty variable as unset', () => {
    expect(withEnvironment({ root: '/file' }, { PGBK_ROOT: '', PGBK_WAL_SLOT: '' })).toEqual({
      root: '/file',
    })
  })

  it('reads numbers and truth values where its keys have them', () => {
    const env = { PGBK_RETENTION_DAILY: '7', PGBK_CREATE_VERIFY: 'false', PGBK_WAL_SLOT: '123' }
    expect(withEnvironment({}, env)).toEqual({
      retention: { daily: 7 },
      create: { verify: false },
      wal: { slot: '123' },
    })
  })

  it('leaves what it cannot read for the check to name', () => {
    const raw = withEnvironment({}, { PGBK_RETENTION_MIN: 'two', PGBK_CREATE_VERIFY: 'maybe' })
    const paths = parseConfig(raw).faults?.map((fault) => fault.split(':')[0])
    expect(paths?.sort()).toEqual(['create.verify', 'retention.min'])
  })

  it('lets the check name a file that has a text where keys belong', () => {
    const raw = withEnvironment({ create: 'fast' }, { PGBK_CREATE_MAX_RATE: '50M' })
    expect(parseConfig(raw).faults?.join()).toMatch(/^create/)
  })

  it('has no other variables', () => {
    expect(withEnvironment({}, { PGBK_VERIFY_SQL: 'x', PGBK_UNKNOWN: 'y', ROOT: 'z' })).toEqual({})
  })
})
