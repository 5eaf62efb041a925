import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { PgbkError } from '../../src/errors.js'
import { watchForCrashes } from '../../src/postgres/local/server-log.js'
import { connectSql } from '../../src/postgres/local/sql-client.js'
import { sql } from '../../src/postgres/sql/sql.js'
import { toldByLog } from '../../src/run/enclosure/supervisor.js'
import { asOrdinaryUser } from '../catalog/samples.js'
import { anyMajor } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

describe('a session that its server has cut off', () => {
  it('is told by the words of the log, where the server starts over', async () => {
    const server = await aServer({ major: anyMajor })
    const { signal } = new AbortController()
    const hasCrashed = watchForCrashes(server.log)
    const client = await asOrdinaryUser(() =>
      connectSql({
        host: server.socket,
        port: server.port,
        user: server.superuser,
        database: 'postgres',
        major: server.major,
        signal,
      }),
    )
    const [row] = (await client?.run(sql`SELECT pg_catalog.pg_backend_pid() AS pid`)) ?? []
    process.kill(Number(row?.pid), 'SIGKILL')
    await until('it starts over', () => readFileSync(server.log, 'utf8').includes('reinitializing'))
    const failure = await client?.run(sql`SELECT 1`).catch((error) => error)
    expect(failure).toMatchObject({ message: "the working copy's server has cut the session off" })
    const told = await toldByLog(failure, hasCrashed, server.log)
    expect(told).toMatchObject({
      message: `the server ended before it was ready (log: ${server.log})`,
      hint: expect.stringMatching(/was terminated by signal 9[\s\S]*reinitializing/),
    })
    await client?.end()
  })
})

describe('an error that is none of a session', () => {
  it('stays as it is', async () => {
    const error = new PgbkError('failed', 'there is no room')
    expect(await toldByLog(error, () => true, join('/nowhere', 'log'))).toBe(error)
  })
})
