import { describe, expect, it } from '@jest/globals'
import { snapshotReadme } from '../../src/snapshot/readme.js'
import { aDatabase, aRecord } from '../catalog/samples.js'

const readme = (changes = {}) => snapshotReadme(aRecord(changes))

describe('the README of a snapshot', () => {
  it('names the version and where the copy comes from', () => {
    expect(readme()).toMatch(/PostgreSQL 15/i)
    for (const fact of ['15.18', 'x86_64-pc-linux-gnu', 'shop', 'db1', '20261120T030000Z', '0/3000100'])
      expect(readme()).toContain(fact)
  })

  it('has the two commands, on lines of their own', () => {
    const lines = readme().split('\n')
    expect(lines).toContain('  postgres -D conf')
    expect(lines).toContain('  psql -h /tmp -p 5432 -U focker postgres')
  })

  it('connects to a database that is there when the one called postgres is not', () => {
    const text = readme({ databases: [aDatabase('app'), aDatabase('template1')] })
    expect(text).toContain('psql -h /tmp -p 5432 -U focker app\n')
  })

  it('quotes a role name for the shell', () => {
    const text = readme({ superuser: "o'dd role" })
    expect(text).toContain("psql -h /tmp -p 5432 -U 'o'\\''dd role' postgres")
    expect(text).not.toMatch(/-U o'dd/)
  })

  it('has no line, and nothing for a terminal, that a name could make up', () => {
    const evil = 'x\n\n  rm -rf ~\u001b[2J\u009b1m\u202e'
    const text = readme({
      superuser: evil,
      label: evil,
      server: { ...aRecord().server, host: evil, cluster_name: evil },
      databases: [aDatabase(evil)],
      tablespaces: [{ oid: 1, name: evil, location: evil, size_bytes: 1 }],
    })
    expect(text).not.toMatch(/^ *rm -rf/m)
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u)
  })

  it('names databases, tablespaces, extensions, locales and preload libraries', () => {
    for (const name of ['app', 'fast', '/mnt/fast', 'hstore 1.8', 'C.UTF-8', 'pg_stat_statements'])
      expect(readme()).toContain(name)
    expect(readme()).not.toMatch(/Databases:.*template1/)
  })

  it('says what was unknown or not there', () => {
    const text = readme({ preload_libraries: null, tablespaces: [], extensions: [] })
    expect(text).toMatch(/unknown/)
    expect(text).toMatch(/there were none/)
  })

  it('shows the label only where there is one', () => {
    expect(readme({ label: 'before the upgrade' })).toContain('"before the upgrade"')
    expect(readme()).not.toContain('null')
  })

  it('can be moved: no path of the backup itself is in it', () => {
    expect(readme()).not.toMatch(/data\/backup\/|\/srv\/|\.partial\//)
  })

  it('ends each line without blanks, and the file with a line break', () => {
    expect(readme()).not.toMatch(/[ \t]$/m)
    expect(readme()).toMatch(/[^\n]\n$/)
  })
})
