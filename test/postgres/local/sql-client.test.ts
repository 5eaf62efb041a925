import { beforeAll, describe, expect, it } from '@jest/globals'
import { connectSql, connectUsersSql, type SqlTarget } from '../../../src/postgres/local/sql-client.js'
import { Sql, sql } from '../../../src/postgres/sql/sql.js'
import { asOrdinaryUser } from '../../catalog/samples.js'
import { oddTexts } from '../../helpers/odd-texts.js'
import { eachMajorFrom } from '../../helpers/programs.js'
import { aServer } from '../../helpers/server.js'

eachMajorFrom(13, (major) => {
  describe(`a session with a copy of PostgreSQL ${major}`, () => {
    let target: SqlTarget
    const { signal } = new AbortController()
    beforeAll(async () => {
      const server = await aServer({ major })
      await server.sql(`
        create database app; create role lowly;
        alter database app set search_path = evil, public; alter database app set default_transaction_read_only = on;
        alter role focker set role = 'lowly'; alter role focker set statement_timeout = '2s';
        alter role all set session_replication_role = replica; alter role all set zero_damaged_pages = on;
        alter role all set "TimeZone" = 'Asia/Tokyo'; alter role all set password_encryption = md5;`)
      target = { host: server.socket, port: server.port, user: 'focker', database: 'app', major, signal }
    }, 120_000)

    const settings = sql`SELECT current_user AS role, pg_catalog.concat_ws(' ', pg_catalog.current_setting('search_path'),
  pg_catalog.current_setting('statement_timeout'), pg_catalog.current_setting('transaction_read_only'),
  pg_catalog.current_setting('session_replication_role'), pg_catalog.current_setting('zero_damaged_pages'),
  pg_catalog.current_setting('timezone'), pg_catalog.current_setting('password_encryption')) AS settings`

    it("has pgbk's own settings, whatever is set for the database and the role", async () => {
      const client = await asOrdinaryUser(() => connectSql(target))
      const rows = await client?.run(settings)
      await client?.end()
      expect(rows).toEqual([
        { role: 'focker', settings: 'pg_catalog,pg_temp 0 off origin off UTC scram-sha-256' },
      ])
    })

    it('takes values as parameters, and names quoted', async () => {
      const client = await asOrdinaryUser(() => connectSql(target))
      const text = oddTexts(`client ${major}`, 5).join('')
      const name = 'a"b\\c'
      const [row] = (await client?.run(sql`SELECT $1::pg_catalog.text AS ${Sql.named(name)}`, [text])) ?? []
      await client?.end()
      expect(row).toEqual({ [name]: text })
    })

    it("of the user's own SQL has those of the database and the role, and can write", async () => {
      const client = await asOrdinaryUser(() => connectUsersSql(target))
      const [row] = (await client?.run('reset role; set statement_timeout = 0; show search_path')) ?? []
      const [writing] = (await client?.run('show transaction_read_only')) ?? []
      await client?.end()
      expect({ ...row, ...writing }).toEqual({ search_path: 'evil, public', transaction_read_only: 'off' })
    })
  })
})
