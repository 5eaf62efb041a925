import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf } from '../helpers/backup.js'
import { program } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, attempt } from '../helpers/programs.js'
import { receive } from '../helpers/received-wal.js'
import { aRoot, aServer, type TestServer } from '../helpers/server.js'

/** The commands of docs/rewind.md, in its order. */
function commandsInDocs(): string[] {
  const text = readFileSync(fileURLToPath(new URL('../../docs/rewind.md', import.meta.url)), 'utf8')
  return [...text.matchAll(/^```sh\n(.*)\n```$/gm)].map(([, command = '']) => command)
}

describe('the story of the dropped table', () => {
  let server: TestServer
  let root: string
  const moments = new Map<string, string>()
  const path = aDirectory()

  beforeAll(async () => {
    server = await aServer({ major: anyMajor })
    root = await aRoot()
    await server.sql('create database app')
    await server.sql(
      'create table customers (id int primary key); create table orders (id int primary key, customer int references customers)',
      'app',
    )
    await server.sql(
      'insert into customers values (1); insert into orders select generate_series(1, 1000), 1',
      'app',
    )
    const { directory } = await aBackupOf(server, { root })
    await server.sql("select pg_create_physical_replication_slot('hold', true)")
    const now = () =>
      server.sql("select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US+00')")
    await receive(server, join(directory, 'wal'), async () => {
      await server.sql('insert into orders select generate_series(1001, 1200), 1', 'app')
      moments.set('2026-11-20 15:03:00+01', await now())
      await sleep(50)
      await server.sql('drop table orders; insert into customers values (2)', 'app')
      moments.set('2026-11-20 15:04:00+01', await now())
      await server.sql('insert into customers values (3)', 'app')
    })
    writeFileSync(join(path, 'pgbk'), `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`, {
      mode: 0o755,
    })
  })

  /** A command of the docs, in the root, at the moments of this test, with production in the environment. */
  function follow(command: string) {
    let words = command
    for (const [printed, own] of moments) words = words.replace(printed, own)
    const env = {
      ...server.env,
      PATH: `${path}:${server.bin}:/usr/bin:/bin`,
      HOME: path,
      XDG_CACHE_HOME: path,
    }
    return attempt(['sh', '-c', words], { cwd: root, env, extendEnv: false })
  }

  it('ends well with the commands that are printed', async () => {
    const [before = '', after = '', dump = '', load = '', ...more] = commandsInDocs()
    expect(more).toEqual([])
    expect((await follow(before)).stdout).toMatch(/^ +1200 \| 1200$/m)
    const gone = await follow(after)
    expect({ status: gone.status, stderr: gone.stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/relation "orders" does not exist/),
    })
    expect(await follow(dump)).toMatchObject({ status: 0, stdout: '' })
    const loaded = await follow(load)
    expect({ status: loaded.status, stderr: loaded.stderr }).toEqual({ status: 0, stderr: '' })
    const rows = 'select count(*), max(id), (select max(id) from customers) from orders'
    expect(await server.sql(rows, 'app')).toBe('1200|1200|3')
    await expect(server.sql('insert into orders values (1, 1)', 'app')).rejects.toThrow(/orders_pkey/)
    await expect(server.sql('insert into orders values (1201, 9)', 'app')).rejects.toThrow(/foreign key/)
  })
})
