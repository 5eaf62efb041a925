import { describe, expect, it } from '@jest/globals'
import { connectionFrom } from '../../src/postgres/connection.js'
import { query } from '../../src/postgres/psql.js'
import { sql } from '../../src/postgres/sql.js'
import { thrownBy } from '../backup/samples.js'
import { anyMajor, binOf } from '../helpers/programs.js'
import { aPortThatHangs } from '../helpers/proxy.js'

async function ask(env: Record<string, string>, timeoutMs: number) {
  const { port } = await aPortThatHangs()
  const place = { PATH: '/usr/bin:/bin', PGHOST: '127.0.0.1', PGPORT: String(port), PGUSER: 'focker' }
  const connection = connectionFrom({}, undefined, { ...place, ...env }, 'pgbk_test')
  const psql = { program: `${binOf(anyMajor)}/psql`, connection, timeoutMs }
  return thrownBy(() => query(psql, sql`SELECT 1;`))
}

describe('a server that takes the connection and says nothing is unreachable', () => {
  it.each([
    ['when psql is ended', {}, 500, 'the server does not answer within 0.5 s'],
    ['when psql gives up', { PGCONNECT_TIMEOUT: '2' }, 20_000, expect.stringContaining('timeout expired')],
  ])('%s', async (_, env, timeoutMs, text) => {
    const { code, message, hint } = await ask(env, timeoutMs)
    expect({ code, message }).toEqual({ code: 'unreachable', message: text })
    expect(hint).toContain('Is the server stopped or overloaded')
  })
})
