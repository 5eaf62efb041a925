import { connect, createServer, type Socket } from 'node:net'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { type ConnectionFlags, connectionFrom } from '../../../src/postgres/connection/connection.js'
import {
  type Psql,
  query,
  queryIf,
  queryWithPlace,
  replicationCommands,
} from '../../../src/postgres/connection/psql.js'
import { sql } from '../../../src/postgres/sql/sql.js'
import { thrownBy } from '../../catalog/samples.js'
import { seed } from '../../helpers/chance.js'
import { oddTexts } from '../../helpers/odd-texts.js'
import { aFreePort, atEnd } from '../../helpers/places.js'
import { anyMajor, binOf, eachMajorFrom } from '../../helpers/programs.js'
import { aPortThatHangs } from '../../helpers/proxy.js'
import { aServer, type TestServer } from '../../helpers/server.js'

const path = { PATH: '/usr/bin:/bin' }

async function ask(env: Record<string, string>, timeoutMs: number) {
  const { port } = await aPortThatHangs()
  const place = { ...path, PGHOST: '127.0.0.1', PGPORT: String(port), PGUSER: 'focker' }
  const connection = connectionFrom({}, undefined, { ...place, ...env }, 'pgbk_test')
  const psql = { program: `${binOf(anyMajor)}/psql`, connection, timeoutMs }
  return thrownBy(() => query(psql, sql`SELECT 1;`))
}

function psqlFor(server: TestServer, flags: ConnectionFlags = {}): Psql {
  const connection = connectionFrom(flags, undefined, { ...path, ...server.env }, 'pgbk_test')
  return { program: `${server.bin}/psql`, connection }
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

eachMajorFrom(13, (major) => {
  describe(`a query to PostgreSQL ${major}`, () => {
    let server: TestServer
    beforeAll(async () => {
      const settings = { standard_conforming_strings: 'off', escape_string_warning: 'off' }
      server = await aServer({ major, settings })
    }, 120_000)

    it(`hands values over as they are (seed ${seed})`, async () => {
      const values = Object.fromEntries(
        [...oddTexts(`psql ${major}`, 20), ''].map((text, index) => [`v${'x'.repeat(index)}`, text]),
      )
      const asJson = sql`SELECT pg_catalog.encode(pg_catalog.convert_to(:'value', 'UTF8'), 'hex');`
      for (const value of Object.values(values)) {
        const answer = await query(psqlFor(server), asJson, { values: { value } })
        expect(Buffer.from(answer.trim(), 'hex').toString()).toBe(value)
      }
    }, 120_000)

    it('is not changed by what roles and databases set', async () => {
      await server.sql(`
        alter role all set statement_timeout = '1ms'; alter role all set default_transaction_isolation = serializable;
        alter role focker set search_path = evil; alter role focker set exit_on_error = on;
        create role lowly; alter role focker set role = 'lowly';`)
      const answer = await query(
        psqlFor(server),
        sql`SELECT pg_catalog.pg_sleep(0.1);
SELECT current_user, pg_catalog.current_setting('search_path'), pg_catalog.current_setting('transaction_isolation');`,
      )
      await query(psqlFor(server), sql`ALTER ROLE ALL RESET ALL; ALTER ROLE focker RESET ALL;`)
      expect(answer.trim()).toBe('focker|pg_catalog, pg_temp|read committed')
    })
  })
})

describe('the connection of a query', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    await server.sql('create role lowly; grant lowly to focker')
  }, 120_000)

  const state = sql`SELECT pg_catalog.current_setting('work_mem'), current_user, pg_catalog.current_setting('default_transaction_read_only');`

  it('keeps its own options, and the role that they choose', async () => {
    const dbname = `options='-c work_mem=5MB -c role=lowly -c default_transaction_read_only=on'`
    expect((await query(psqlFor(server, { dbname }), state)).trim()).toBe('5MB|lowly|off')
  })

  it('works through a pooler that takes no options', async () => {
    const port = await aPooler(server)
    const dbname = `host=127.0.0.1 port=${port} user=focker sslmode=disable gssencmode=disable`
    expect((await query(psqlFor(server, { dbname }), state)).trim()).toBe('4MB|focker|off')
  })

  it('is where psql has got to, whatever the server says', async () => {
    const dbname = `host=/nowhere,${server.socket} port=1,${server.port}`
    const { answer, host, port } = await queryWithPlace(psqlFor(server, { dbname }), sql`SELECT 1; SELECT 2;`)
    expect({ answer, host, port }).toEqual({ answer: '1\n2', host: server.socket, port: server.port })
  })

  it.each([
    ['true', sql`SELECT true AS holds`, 'a\nholds\nb\n'],
    ['false', sql`SELECT 1 = 2 AS holds`, undefined],
  ])('asks on where a condition is %s', async (_, condition, answer) => {
    const script = sql`SELECT 'a'; SELECT 'holds'; SELECT 'b';`
    expect(await queryIf(psqlFor(server), condition, script)).toBe(answer)
  })

  it('with a condition asks for nothing that the role may not', async () => {
    await server.sql('create role poor login')
    const psql = psqlFor(server, { username: 'poor' })
    const mayList = sql`SELECT pg_catalog.has_function_privilege('pg_catalog.pg_ls_dir(text)', 'EXECUTE') AS holds`
    expect(await queryIf(psql, mayList, sql`SELECT pg_catalog.pg_ls_dir('base');`)).toBeUndefined()
    expect(await thrownBy(() => queryIf(psql, sql`SELECT true AS holds`, sql`SELECT 1/0;`))).toMatchObject({
      code: 'refused',
    })
  })

  it('of the replication protocol shows what the server has set', async () => {
    await server.sql('alter role focker set search_path = mine')
    expect(await replicationCommands(psqlFor(server), ['SHOW search_path'])).toEqual(['"$user", public', ''])
    await server.sql('alter role focker reset all')
  })
})

describe('a value', () => {
  it.each([
    ['value', 'a\0b'],
    ['ON_ERROR_STOP', '0'],
  ])('of the name %s is not %j', async (name, value) => {
    const psql = { program: '/nowhere', connection: connectionFrom({}, undefined, path, 'pgbk_test') }
    expect(await thrownBy(() => query(psql, sql`SELECT 1;`, { values: { [name]: value } }))).toMatchObject({
      code: 'failed',
    })
  })
})

/** Like PgBouncer: refuses what has options in its startup packet, and passes everything else on. */
async function aPooler(server: TestServer): Promise<number> {
  const port = await aFreePort()
  const passOn = (client: Socket) => {
    client.on('error', () => {})
    client.once('data', (startup) => {
      if (startup.includes('options\0')) {
        const fields = Buffer.from('SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: options\0\0')
        const head = Buffer.from([0x45, 0, 0, 0, fields.length + 4])
        client.end(Buffer.concat([head, fields]))
        return
      }
      const upstream = connect(`${server.socket}/.s.PGSQL.${server.port}`)
      upstream.on('error', () => client.destroy())
      upstream.write(startup)
      client.pipe(upstream).pipe(client)
    })
  }
  const pooler = createServer(passOn)
  await new Promise<void>((resolve) => pooler.listen(port, '127.0.0.1', resolve))
  atEnd(() => void pooler.close())
  return port
}
