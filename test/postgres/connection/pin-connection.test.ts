import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { pinned } from '../../../src/postgres/connection/pin-connection.js'
import { positionIn } from '../../../src/postgres/connection/server-place.js'
import { aDirectory } from '../../helpers/places.js'

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

describe('a service that balances', () => {
  const service = (text: string) => {
    const file = join(aDirectory(), 'services')
    writeFileSync(file, text)
    return { parameters: { service: 'shop', user: 'me' }, env: { PGSERVICEFILE: file, PGPASSWORD: 'other' } }
  }
  const place = { host: 'db2', port: 5432 }

  it('is told by its parameters: libpq before 16 does not read such a file', () => {
    const text =
      '[other]\nuser=x\n\n[shop]\n# all of it\nhost=db1,db2\nuser=you\n password=s 3\nload_balance_hosts=random\n'
    const { parameters, env } = pinned(service(text), place)
    expect(parameters).toEqual({
      host: 'db2',
      port: '5432',
      hostaddr: '',
      target_session_attrs: 'any',
      user: 'me',
    })
    expect(env).toEqual({ PGPASSWORD: 's 3' })
  })

  it.each(['[shop]\nhost=db1\n', '[shop]\nload_balance_hosts=random\nsslpassword=x\n', '[other]\n', ''])(
    'stays a service when it says %j',
    (text) => expect(pinned(service(text), place).parameters.service).toBe('shop'),
  )
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
    expect(positionIn(`db\n5432\n${conninfo}\n`)).toEqual({ host: 'db', port: 5432, address })
  })
})
