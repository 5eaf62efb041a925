import { describe, expect, it } from '@jest/globals'
import { pinned } from '../../src/postgres/pin-connection.js'
import { placeIn } from '../../src/postgres/server-place.js'

describe('a pinned connection', () => {
  it('leads to the one server that has answered, whatever named several', () => {
    const connection = {
      parameters: {
        host: 'db1,db2',
        port: '5432,5433',
        hostaddr: '10.0.0.1,10.0.0.2',
        target_session_attrs: 'prefer-standby',
        load_balance_hosts: 'random',
        service: 'shop',
        sslmode: 'verify-full',
      },
      env: {
        PGHOST: 'a,b',
        PGHOSTADDR: '10.0.0.1,10.0.0.2',
        PGTARGETSESSIONATTRS: 'primary',
        PGLOADBALANCEHOSTS: 'random',
        PGPASSFILE: '/f',
      },
    }
    expect(pinned(connection, { host: 'db2', port: 5433, address: '10.0.0.2' })).toEqual({
      parameters: {
        host: 'db2',
        port: '5433',
        hostaddr: '10.0.0.2',
        target_session_attrs: 'any',
        service: 'shop',
        sslmode: 'verify-full',
      },
      env: { PGHOST: 'a,b', PGPASSFILE: '/f' },
    })
  })

  it('leaves a socket a socket', () => {
    const { parameters } = pinned({ parameters: {}, env: {} }, { host: '/tmp', port: 5432 })
    expect(parameters).toMatchObject({ host: '/tmp', hostaddr: '' })
  })
})

describe('the place of a server', () => {
  it.each([
    [
      'You are connected to database "postgres" as user "me" on host "db" (address "10.0.0.2") at port "5432".',
      '10.0.0.2',
    ],
    ['Database|postgres\nClient User|me\nHost|db\nHost Address|fe80::1\nServer Port|5432', 'fe80::1'],
    ['You are connected to database "postgres" as user "me" on host "10.0.0.2" at port "5432".', undefined],
    ['Database|postgres\nSocket Directory|/tmp\nServer Port|5432', undefined],
    ['Database|postgres\nHost|db\nHost Address|no address\nServer Port|5432', undefined],
  ])('is read from %j', (conninfo, address) => {
    expect(placeIn(`db\n5432\n${conninfo}\n`)).toEqual({ host: 'db', port: 5432, address })
  })
})
