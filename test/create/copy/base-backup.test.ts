import { describe, expect, it } from '@jest/globals'
import {
  type BaseBackupOptions,
  baseBackupArgs,
  parseProgress,
} from '../../../src/create/copy/base-backup.js'
import { connectionFrom } from '../../../src/postgres/connection/connection.js'

const options: BaseBackupOptions = {
  dataDirectory: '/r/x.partial/snapshot/data',
  tablespacesDirectory: '/r/x.partial/snapshot/tablespaces',
  tablespaces: [],
  label: 'pgbk 20261120T030000Z',
  checkpoint: 'fast',
  wire: 'none',
}
const args = (changes: Partial<BaseBackupOptions> = {}, dbname = 'host=db1') =>
  baseBackupArgs(connectionFrom({ dbname }, undefined, {}, 'pgbk_create_1'), { ...options, ...changes })

describe('the arguments of pg_basebackup', () => {
  it('ask for a plain copy with its WAL', () => {
    expect(args()).toEqual([
      '--pgdata=/r/x.partial/snapshot/data',
      '--format=plain',
      '--wal-method=stream',
      '--checkpoint=fast',
      '--label=pgbk 20261120T030000Z',
      '--progress',
      '--no-password',
      '--dbname',
      'host=db1 application_name=pgbk_create_1',
    ])
  })

  it('map every tablespace, with = escaped in either path', () => {
    const tablespaces = [
      { oid: 16385, name: 'one', location: '/mnt/space one', raw_location: '/mnt/space one' },
      { oid: 16386, name: 'two', location: '/mnt/space=two', raw_location: '/mnt/space=two' },
    ]
    const mapped = args({ tablespaces, tablespacesDirectory: '/r=1/t' }).filter((arg) => /mapping/.test(arg))
    expect(mapped).toEqual([
      '--tablespace-mapping=/mnt/space one=/r\\=1/t/16385',
      '--tablespace-mapping=/mnt/space\\=two=/r\\=1/t/16386',
    ])
  })

  it('map none that lies in place', () => {
    const tablespaces = [
      { oid: 16385, name: 'one', location: 'pg_tblspc/16385', raw_location: 'pg_tblspc/16385' },
    ]
    expect(args({ tablespaces })).toEqual(args())
  })

  it('limit the rate and spread the checkpoint when that is wanted', () => {
    expect(args({ maxRate: '50M', checkpoint: 'spread' })).toEqual(
      expect.arrayContaining(['--max-rate=50M', '--checkpoint=spread']),
    )
  })

  it('let the server compress what it sends when that is wanted', () => {
    expect(args({ wire: 'server-zstd' })).toContain('--compress=server-zstd:level=1')
  })

  it('have no password', () => {
    expect(args({}, 'postgresql://me:hunter2@db1/app').join(' ')).not.toContain('hunter2')
  })
})

describe('a line of its progress', () => {
  it.each([
    ['    0/23040 kB (0%), 0/1 tablespace', 0, 23040],
    ['23050/23050 kB (100%), 1/1 tablespace', 23050, 23050],
    [' 1024/31415 kB (3%), 0/3 tablespaces (...data/base/5/1259)', 1024, 31415],
    ['5000000000/5000000000 kB (100%), 1/1 tablespace', 5_000_000_000, 5_000_000_000],
  ])('%j is read in bytes', (line, done, total) => {
    expect(parseProgress(line)).toEqual({ done: done * 1024, total: total * 1024 })
  })

  it.each(['', 'waiting for checkpoint', 'pg_basebackup: error: 1/2 kB (x', '1/2 MB (3%)'])(
    '%j is none',
    (line) => {
      expect(parseProgress(line)).toBeUndefined()
    },
  )
})
