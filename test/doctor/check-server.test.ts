import { describe, expect, it } from '@jest/globals'
import { checkSecrets } from '../../src/doctor/check-server.js'

describe('a password on the command line', () => {
  it.each([
    'postgresql://me:secret@db1/app',
    'postgresql://me@db1/app?password=secret',
    'postgresql://me@db1/app?pass%77ord=secret',
    'host=db1 password=secret',
    "host=db1 password='sec ret",
  ])('is told, without itself: %s', (dbname) => {
    const [check, ...more] = checkSecrets({ dbname })
    expect(more).toEqual([])
    expect(check).toMatchObject({ name: 'password', status: 'warning' })
    expect(check?.remedy).toMatch(/\.pgpass.*PGPASSFILE.*service/)
    expect(JSON.stringify(check)).not.toMatch(/sec/)
  })

  it.each([undefined, 'app', 'postgresql://me@db1/app', 'host=db1 user=me passfile=/home/me/.pgpass'])(
    'is not seen in %s',
    (dbname) => expect(checkSecrets({ dbname })).toEqual([]),
  )
})
