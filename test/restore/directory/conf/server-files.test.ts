import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { type ReadableBackup, snapshotOf } from '../../../../src/catalog/backup.js'
import { backupLayout } from '../../../../src/catalog/layout.js'
import type { BackupRecord } from '../../../../src/catalog/record.js'
import { containAuth, missingAuth } from '../../../../src/restore/directory/conf/contain-auth.js'
import { serverFiles } from '../../../../src/restore/directory/conf/server-files.js'
import { writeProductionConf } from '../../../../src/restore/directory/production-directory.js'
import { aRecord, thrownBy } from '../../../catalog/samples.js'
import { aDirectory } from '../../../helpers/places.js'

function write(place: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(place, name)), { recursive: true })
    writeFileSync(join(place, name), text)
  }
}

/** A backup with the server's files, by their paths there, and others in its data directory. */
function aBackup(
  originals: Record<string, string>,
  {
    main = '/etc/pg',
    data = {},
    ...record
  }: { main?: string; data?: Record<string, string> } & Partial<BackupRecord>,
): ReadableBackup {
  const layout = backupLayout(aDirectory())
  const copyOf = (path: string) => {
    if (path.endsWith('.auto.conf')) return 'postgresql.auto.conf'
    return path.startsWith(`${main}/`) ? path.slice(main.length + 1) : path.slice(1)
  }
  write(
    layout.originalConf,
    Object.fromEntries(Object.entries(originals).map(([path, text]) => [copyOf(path), text])),
  )
  write(layout.data, { PG_VERSION: '17', ...data })
  const config_files = Object.keys(originals)
    .filter((path) => !path.endsWith('.auto.conf'))
    .map((path) => ({ path, copy: copyOf(path) }))
  const server = { ...aRecord().server, version_num: 170_000 }
  return {
    id: 'x',
    directory: layout.directory,
    snapshot: layout.snapshot,
    raw: aRecord({ server, config_files, ...record }),
  } as ReadableBackup
}

const configuration = {
  main: '/etc/pg/postgresql.conf',
  hba: '/etc/pg/hba',
  ident: '/etc/pg/ident',
  auto_conf: '/data/postgresql.auto.conf',
  missing: [],
}

const filesOf = (backup: ReadableBackup) =>
  Object.fromEntries(
    [...serverFiles(backup, snapshotOf(backup).data).values()].map(({ path, name, kind }) => [
      path,
      `${kind} ${name}`,
    ]),
  )

describe('the files of a server’s configuration in a backup', () => {
  it('have the names that PostgreSQL looks for, whatever they were called', () => {
    const originals = {
      '/etc/pg/postgresql.conf': "include 'pg_hba.conf'",
      '/etc/pg/hba': 'local all @pg_admins trust\ninclude ident.d',
      '/etc/pg/ident': '',
      '/etc/pg/pg_hba.conf': '',
      '/etc/pg/pg_admins': '@/srv/more',
      '/srv/more': 'x',
      '/data/postgresql.auto.conf': '',
    }
    expect(filesOf(aBackup(originals, { configuration }))).toEqual({
      '/etc/pg/postgresql.conf': 'conf postgresql.conf',
      '/etc/pg/hba': 'auth pg_hba.conf',
      '/etc/pg/ident': 'auth pg_ident.conf',
      '/etc/pg/pg_hba.conf': 'conf of-server/pg_hba.conf',
      '/etc/pg/pg_admins': 'auth pg_admins',
      '/srv/more': 'auth srv/more',
      '/data/postgresql.auto.conf': 'conf postgresql.auto.conf',
    })
  })

  it('of an earlier pgbk are those too that came with the data directory and were not collected', () => {
    const originals = {
      '/data/postgresql.conf': "include_if_exists 'site.conf'",
      '/data/pg_hba.conf': 'local all @admins trust',
    }
    const data = {
      'postgresql.conf': originals['/data/postgresql.conf'],
      'site.conf': "include_dir '/data/conf.d'",
      'conf.d/b.conf': 'b = 1',
      'conf.d/.a.conf': '',
      admins: '@"more admins"',
      'more admins': 'x',
    }
    expect(filesOf(aBackup(originals, { main: '/data', data }))).toEqual({
      '/data/postgresql.conf': 'conf postgresql.conf',
      '/data/pg_hba.conf': 'auth pg_hba.conf',
      '/data/postgresql.auto.conf': 'conf postgresql.auto.conf',
      '/data/site.conf': 'conf site.conf',
      '/data/conf.d/b.conf': 'conf conf.d/b.conf',
      '/data/admins': 'auth admins',
      '/data/more admins': 'auth more admins',
    })
  })

  it.each(['global/pg_control', 'base/1/2', 'pg_xact', 'recovery.signal', 'tablespaces/x'])(
    'are no files of the data: %s',
    async (name) => {
      const backup = aBackup({ '/etc/pg/postgresql.conf': '', [`/etc/pg/${name}`]: '' }, {})
      const { code, message } = await thrownBy(() => serverFiles(backup, snapshotOf(backup).data))
      expect({ code, message }).toEqual({ code: 'damaged', message: expect.stringContaining(name) })
    },
  )
})

describe('they are put back', () => {
  const restored = async (backup: ReadableBackup) => {
    const data = aDirectory()
    const given = { switchedOff: undefined, recovery: undefined, port: undefined, minimums: {} }
    const notes = await writeProductionConf({ backup, data, source: snapshotOf(backup).data, ...given })
    return { notes, text: (name: string) => readFileSync(join(data, name), 'utf8') }
  }

  it('each with the names of the others where they are now', async () => {
    const originals = {
      '/etc/pg/postgresql.conf':
        "hba_file = '/etc/pg/hba'\r\ninclude '/srv/x.conf'\r\ninclude_dir 'none.d'\r\n",
      '/etc/pg/hba':
        '# K\xe4se\nlocal all x,@"/srv/a b",y trust # @no\nlocal all "@no" reject\ninclude_dir none.d\n',
      '/etc/pg/ident': 'include /srv/maps\n',
      '/srv/x.conf': "external_pid_file = '/run/x'\ninclude_if_exists '/etc/pg/y.conf'\n",
      '/srv/a b': '@../etc/pg/c\n',
      '/etc/pg/c': 'd\n',
      '/srv/maps': 'm a b\n',
      '/data/postgresql.auto.conf': "data_directory = '/data'\ninclude '/srv/x.conf'\n",
    }
    const missing = [{ path: '/etc/pg/y.conf', reason: 'permission denied' }]
    const { notes, text } = await restored(
      aBackup(originals, { configuration: { ...configuration, missing } }),
    )
    expect(text('postgresql.conf')).toMatch(/^#hba_file[^\n]*\ninclude 'srv\/x.conf'\n#include_dir 'none.d'/)
    expect(text('pg_hba.conf')).toBe(
      '# K\xe4se\nlocal all x,@"srv/a b",y trust # @no\nlocal all "@no" reject\n# pgbk restore: it had no file: include_dir none.d\n',
    )
    expect(text('pg_ident.conf')).toBe('include "srv/maps"\n')
    expect(text('srv/a b')).toBe('@"../c"\n')
    expect(text('srv/x.conf')).toMatch(/^#external_pid_file[^\n]*\n#include_if_exists/)
    expect(text('postgresql.auto.conf')).toMatch(/^#data_directory[^\n]*\ninclude 'srv\/x.conf'/)
    expect(notes).toEqual(['/etc/pg/y.conf, which /srv/x.conf includes, is not in the backup'])
  })

  it('and lead to no file elsewhere on this machine', async () => {
    const elsewhere = join(aDirectory(), 'people')
    writeFileSync(elsewhere, 'evil')
    const data = aDirectory()
    write(data, {
      'pg_hba.conf': `local all @${elsewhere} trust\nlocal all @../x trust\nlocal all @link trust\ninclude_if_exists /y\n`,
      'pg_ident.conf': 'include ok\n',
      ok: 'include_dir "/z"',
    })
    symlinkSync(elsewhere, join(data, 'link'))
    await containAuth(data, 17)
    const above = join(dirname(data), 'x')
    expect(readFileSync(join(data, 'pg_hba.conf'), 'utf8')).toBe(
      [
        `local all @"of-server${elsewhere}" trust`,
        `local all @"of-server${above}" trust`,
        `local all @"of-server${join(data, 'link')}" trust`,
        'include_if_exists "of-server/y"',
        '',
      ].join('\n'),
    )
    expect(readFileSync(join(data, 'ok'), 'utf8')).toBe('include_dir "of-server/z"')
    const missing = (await missingAuth(data, 17)).map(({ by, file }) => `${by}: ${file}`)
    expect(missing).toEqual([
      `pg_hba.conf: of-server${elsewhere}`,
      `pg_hba.conf: of-server${above}`,
      `pg_hba.conf: of-server${join(data, 'link')}`,
      'ok: of-server/z',
    ])
  })
})
