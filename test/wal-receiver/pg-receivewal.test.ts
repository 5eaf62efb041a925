import { describe, expect, it } from '@jest/globals'
import { explainEnd, receivewalArgs } from '../../src/wal-receiver/pg-receivewal.js'

describe('the command line of pg_receivewal', () => {
  it('names directory and slot, flushes at once, notices dead networks, and holds no password', () => {
    const connection = { parameters: { host: 'db1', keepalives_idle: '99' }, env: { PGPASSWORD: 'secret' } }
    const args = receivewalArgs(connection, '/srv/x/wal', 'pgbk')
    expect(args).toEqual(
      expect.arrayContaining([
        '--directory=/srv/x/wal',
        '--slot=pgbk',
        '--no-loop',
        '--synchronous',
        '--no-password',
      ]),
    )
    expect(args.at(-1)).toContain('host=db1')
    expect(args.at(-1)).toContain('tcp_user_timeout=30000')
    expect(args.at(-1)).toContain('keepalives_idle=99')
    expect(args.join(' ')).not.toContain('secret')
  })
})

describe('the last words of pg_receivewal', () => {
  const failure = (text: string) =>
    `pg_receivewal: error: could not send replication command "START_REPLICATION": ERROR:  ${text}`
  it.each([
    [
      [failure('requested WAL segment 000000010000000000000007 has already been removed')],
      'gap',
      '000000010000000000000007',
    ],
    [
      [
        failure("requested starting point 0/1800000 on timeline 1 is not in this server's history"),
        "DETAIL:  This server's history forked from timeline 1 at 0/1234D8.",
      ],
      'forked',
      '0/1234D8',
    ],
    [[failure('replication slot "pgbk" is active for PID 4711')], 'slot-in-use', '4711'],
    [
      ['pg_receivewal: error: could not write 8192 bytes to WAL file "x": No space left on device'],
      'disk-full',
      undefined,
    ],
    [['pg_receivewal: error: connection to server at "db1" failed: Connection refused'], 'lost', undefined],
    [[], 'lost', undefined],
  ])('%j mean %s', (said, kind, subject) => {
    expect(explainEnd(said)).toMatchObject({ kind, subject })
  })

  it('are told without what goes without saying', () => {
    const { message } = explainEnd([
      'pg_receivewal: not renaming "000000010000000000000009.partial", segment is not complete',
      'pg_receivewal: error: replication stream was terminated before stop point',
      'pg_receivewal: error: unexpected termination of replication stream: FATAL:  terminating connection',
      'pg_receivewal: error: disconnected',
    ])
    expect(message).toBe('unexpected termination of replication stream: FATAL:  terminating connection')
  })
})
