import { describe, expect, it } from '@jest/globals'
import {
  type ConnectionFlags,
  connectionArgs,
  connectionFrom,
} from '../../../src/postgres/connection/connection.js'
import { thrownBy } from '../../catalog/samples.js'

const connect = (flags: ConnectionFlags = {}, configured?: string, env = {}) =>
  connectionFrom(flags, configured, env, 'pgbk_create_1')
const parametersOf = (flags: ConnectionFlags, configured?: string) => {
  const { application_name: _name, ...parameters } = connect(flags, configured).parameters
  return parameters
}

describe('what to connect to', () => {
  it.each<[ConnectionFlags, string | undefined, object]>([
    [{}, undefined, {}],
    [{}, 'host=db1 user=me', { host: 'db1', user: 'me' }],
    [{ host: 'db2', port: '5433' }, 'host=db1 user=me', { host: 'db2', port: '5433', user: 'me' }],
    [{ dbname: 'app' }, 'postgresql://me@db1/other', { user: 'me', host: 'db1', dbname: 'app' }],
    [{ dbname: 'host=db2' }, 'host=db1 user=me', { host: 'db2' }],
    [
      { dbname: 'postgres://db2/app', username: 'you' },
      undefined,
      { host: 'db2', dbname: 'app', user: 'you' },
    ],
  ])('by %j over %j is %j', (flags, configured, parameters) => {
    expect(parametersOf(flags, configured)).toEqual(parameters)
  })

  it('carries the name of this call, whatever a string says', () => {
    const { parameters } = connect({ dbname: 'application_name=mine host=db1' })
    expect(parameters.application_name).toBe('pgbk_create_1')
  })
})

describe('a password', () => {
  it.each([
    'password=hunter2 host=db1',
    'postgresql://me:hunter2@db1/app',
    'postgresql:///?password=hunter2',
  ])('of %s goes into the environment, and is no argument', (dbname) => {
    const connection = connect({ dbname })
    expect(connection.env.PGPASSWORD).toBe('hunter2')
    expect(JSON.stringify(connectionArgs(connection))).not.toContain('hunter2')
  })

  it('is never asked for', () => expect(connectionArgs(connect())).toContain('--no-password'))

  it.each(['sslpassword', 'scram_client_key', 'oauth_client_secret'])(
    'like %s is refused in a string',
    async (key) => {
      const error = await thrownBy(() => connect({ dbname: `host=db1 ${key}=hunter2` }))
      expect(error).toMatchObject({ code: 'usage', message: expect.stringContaining(key) })
      expect(error.message + error.hint).not.toContain('hunter2')
    },
  )
})

describe('the environment of the programs', () => {
  it('keeps what libpq knows, and drops what would change a session', () => {
    const kept = { PGHOST: 'db1', PGSERVICE: 'x', PGPASSFILE: '/f', PGSSLMODE: 'require' }
    const { env } = connect({}, undefined, {
      ...kept,
      PGOPTIONS: '-c x=y',
      PGTZ: 'UTC',
      PGDATESTYLE: 'ISO',
      PGAPPNAME: 'x',
    })
    expect(env).toMatchObject(kept)
    for (const name of ['PGOPTIONS', 'PGTZ', 'PGDATESTYLE', 'PGAPPNAME']) expect(env).not.toHaveProperty(name)
  })

  it('asks the database postgres unless another is named', () => {
    expect(connect().env.PGDATABASE).toBe('postgres')
    expect(connect({}, undefined, { PGDATABASE: 'app' }).env.PGDATABASE).toBe('app')
  })
})

describe('the arguments', () => {
  it('are one conninfo string, with what is added last', () => {
    const args = connectionArgs(connect({ host: "/tmp/it's" }), { replication: 'true' })
    expect(args).toEqual([
      '--no-password',
      '--dbname',
      "host='/tmp/it\\'s' application_name=pgbk_create_1 replication=true",
    ])
  })
})
