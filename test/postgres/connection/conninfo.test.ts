import { describe, expect, it } from '@jest/globals'
import { formatConninfo, parseConnection } from '../../../src/postgres/connection/conninfo.js'
import { thrownBy } from '../../catalog/samples.js'

describe('a conninfo string', () => {
  it.each([
    ['app', { dbname: 'app' }],
    ['host=db1 user=me', { host: 'db1', user: 'me' }],
    ["  host = db1\tport= 5433 password='it\\'s \\\\' ", { host: 'db1', port: '5433', password: "it's \\" }],
    ['options=-c\\ x=y', { options: '-c x=y' }],
    ["host='' user=me", { host: '', user: 'me' }],
    ['host= ', { host: '' }],
    ["dbname='a b' host=a,b port=1,2", { dbname: 'a b', host: 'a,b', port: '1,2' }],
  ])('%j is read by the rules of libpq', (text, parameters) =>
    expect(parseConnection(text)).toEqual(parameters),
  )

  it('comes back as it was written', () => {
    const parameters = { host: '/tmp/a b', password: "it's a \\ and a 'quote'", dbname: '', user: 'ä=b' }
    expect(parseConnection(formatConninfo(parameters))).toEqual(parameters)
  })
})

describe('a URI', () => {
  it.each([
    ['postgresql://', {}],
    ['postgres://db1', { host: 'db1' }],
    [
      'postgresql://me:secret@db1:5433/app',
      { user: 'me', password: 'secret', host: 'db1', port: '5433', dbname: 'app' },
    ],
    ['postgresql://me@db1,db2:5433/app', { user: 'me', host: 'db1,db2', port: ',5433', dbname: 'app' }],
    ['postgresql://[2001:db8::1]:5433/', { host: '2001:db8::1', port: '5433' }],
    ['postgresql:///app?host=/tmp&port=5433', { dbname: 'app', host: '/tmp', port: '5433' }],
    ['postgresql://%2Ftmp/a%20b', { host: '/tmp', dbname: 'a b' }],
    [
      'postgresql://me:p%40ss%3A@db1?ssl=true',
      { user: 'me', password: 'p@ss:', host: 'db1', sslmode: 'require' },
    ],
    ['postgresql://db1/app?password=secret', { host: 'db1', dbname: 'app', password: 'secret' }],
  ])('%s is read by the rules of libpq', (text, parameters) =>
    expect(parseConnection(text)).toEqual(parameters),
  )
})

describe('a wrong connection string', () => {
  it.each([
    'host=db1 hunter2',
    "password='hunter2",
    '=hunter2',
    "host=db1 password='hunter2'x",
    'postgresql://me:hunter2@db1:port/app',
    'postgresql://me:hunter2%zz@db1/app',
    'postgresql://me:hunter2/x@db1/app',
    'postgresql://db1/app?password',
    'postgresql://db1/app?password=hunter2=x',
    'postgresql://[::1/app?password=hunter2',
  ])('is refused, and its password not told: %s', async (text) => {
    const error = await thrownBy(() => parseConnection(text))
    expect(error).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/^the connection string is not/),
    })
    expect(JSON.stringify([error.message, error.hint])).not.toContain('hunter2')
  })
})
