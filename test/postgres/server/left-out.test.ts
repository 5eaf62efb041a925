import { describe, expect, it } from '@jest/globals'
import { dataLeftOut, isServersNotice, lossOf, pathIn } from '../../../src/postgres/server/left-out.js'

describe("a server's notice", () => {
  it.each([
    ['WARNING:  skipping special file "./base/16384"', 'base/16384'],
    ['WARNUNG:  überspringe besondere Datei »./base/16384«', 'base/16384'],
    ['ATTENTION:  ignore le fichier spécial « ./base/16384 »', 'base/16384'],
    ['ПРЕДУПРЕЖДЕНИЕ:  специальный файл "./pg_xact" пропускается', 'pg_xact'],
    ['警告:  スペシャルファイル"./base/1/2"をスキップしています', 'base/1/2'],
    ['WARNING:  skipping special file "/mnt/a "b"/PG_15_202209061/5"', '/mnt/a "b"/PG_15_202209061/5'],
    [
      'WARNING:  skipping special file "pg_tblspc/16384/PG_13_202007201/5"',
      'pg_tblspc/16384/PG_13_202007201/5',
    ],
    ['WARNING:  aborting backup due to backend exiting', undefined],
  ])('%j names %j', (line, path) => {
    expect(isServersNotice(line)).toBe(true)
    expect(pathIn(line)).toBe(path)
  })

  it.each([
    'pg_basebackup: error: could not read "./x"',
    '  1/2 kB (50%), 0/1 tablespace',
    'waiting for checkpoint',
  ])('%j is none', (line) => expect(isServersNotice(line)).toBe(false))
})

describe('what is lost', () => {
  it.each([
    ['base/16384', 'data'],
    ['base/16384/2619', 'data'],
    ['global', 'data'],
    ['pg_xact', 'data'],
    ['pg_multixact/members', 'data'],
    ['pg_tblspc', 'data'],
    ['pg_tblspc/16385/PG_13_202007201/5', 'data'],
    ['/mnt/fast/PG_15_202209061/5/1259', 'data'],
    ['PG_VERSION', 'data'],
    ['postgresql.conf', 'configuration'],
    ['postgresql.auto.conf', 'configuration'],
    ['.s.PGSQL.5432', 'nothing'],
    ['log', 'unknown'],
    ['pg_log', 'unknown'],
    ['pg_hba.conf.d', 'unknown'],
    ['based', 'unknown'],
    ['server.key', 'unknown'],
  ])('with %s is %s', (path, loss) => expect(lossOf(path)).toBe(loss))

  it('is said with its owner', () => {
    expect(dataLeftOut('base/16384', 'database big').message).toContain('base/16384 (database big)')
  })
})
