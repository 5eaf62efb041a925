import { describe, expect, it } from '@jest/globals'
import { collectRecords } from '../../src/wal-reading/segment-records.js'

const mb = 1024 ** 2
const line = (rmgr: string, lsn: string, desc: string, xid = 0) =>
  `rmgr: ${rmgr.padEnd(11)} len (rec/tot):     34/    34, tx: ${String(xid).padStart(10)}, lsn: ${lsn}, prev 0/00000028, desc: ${desc}`

function factsOf(...lines: string[]) {
  const records = collectRecords(mb)
  for (const one of lines) records.take(one)
  return records.factsOf(3n)
}

describe('what the records of a segment say', () => {
  it('are the newest time and the last end of a transaction, which need not be the same', () => {
    const { newest, commit } = factsOf(
      line('Transaction', '0/00300028', 'COMMIT 2026-11-20 15:04:00.000001 UTC', 700),
      line('Transaction', '0/00300100', 'ABORT 2026-11-20 15:09:00.000000 UTC', 701),
      line(
        'Transaction',
        '0/003FFFF8',
        'COMMIT 2026-11-20 15:03:59.999999 UTC; inval msgs: catcache 51',
        702,
      ),
    )
    expect({ newest, commit }).toEqual({
      newest: '2026-11-20T15:09:00.000000Z',
      commit: { lsn: '0/3FFFF8', time: '2026-11-20T15:03:59.999999Z' },
    })
  })

  it('are the transactions that end, with their parts, and those that were prepared', () => {
    const { xids } = factsOf(
      line(
        'Transaction',
        '0/00300028',
        'COMMIT 2026-11-20 15:04:00.000001 UTC; subxacts: 901 950; inval msgs: relcache 5',
        900,
      ),
      line(
        'Transaction',
        '0/00300100',
        'COMMIT_PREPARED 489: 2026-11-20 15:09:00.000000 UTC; subxacts: 490',
        0,
      ),
      line('Transaction', '0/00300200', 'PREPARE gid x: 2026-11-20 15:09:00.000000 UTC', 999),
    )
    expect(xids).toEqual([
      [0, 0],
      [489, 490],
      [900, 901],
      [950, 950],
    ])
  })

  it('are restore points of any name, paths of new tablespaces, and settings that were changed', () => {
    const facts = factsOf(
      line('XLOG', '0/00300028', 'RESTORE_POINT before, desc: the\rchange'),
      line('Tablespace', '0/00300100', 'CREATE 16400 "/srv/a "b""', 7),
      line('Tablespace', '0/00300180', 'CREATE 16401 ""', 7),
      line('Database', '0/00300190', 'CREATE copy dir 1663/1 to "/srv"', 7),
      line(
        'XLOG',
        '0/00300200',
        'PARAMETER_CHANGE max_connections=200 max_wal_senders=10 max_prepared_xacts=5 wal_level=replica',
      ),
    )
    expect(facts).toMatchObject({
      newest: null,
      restore_points: [{ lsn: '0/300028', name: 'before, desc: the\rchange' }],
      tablespaces: [{ lsn: '0/300100', path: '/srv/a "b"' }],
      settings: [
        {
          lsn: '0/300200',
          minimums: { max_connections: 200, max_wal_senders: 10, max_prepared_transactions: 5 },
        },
      ],
    })
  })

  it('are of the segment in which each record begins, and nothing of what is no record', () => {
    const nothing = factsOf(
      line('Transaction', '0/002FFFF8', 'COMMIT 2026-11-20 15:04:00.000001 UTC', 700),
      line('Transaction', '0/00400000', 'COMMIT 2026-11-20 15:04:00.000001 UTC', 700),
      'pg_waldump: first record is after 0/300000, at 0/300028, skipping over 40 bytes',
    )
    expect(nothing).toEqual({
      newest: null,
      commit: null,
      xids: [],
      restore_points: [],
      tablespaces: [],
      settings: [],
    })
  })
})
