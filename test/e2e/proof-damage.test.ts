import { closeSync, openSync, readFileSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { oldestAndNewest } from '../helpers/programs.js'
import { aServer, type TestServer } from '../helpers/server.js'

// One form: the damage is in the databases.

const rows = 'select g as id, md5(g::text) as text from generate_series(1, 5000) g'

/** The file of a relation, in the data directory of its server. */
async function fileOf(server: TestServer, database: string, relation: string): Promise<string> {
  return join(server.data, await server.sql(`select pg_relation_filepath('${relation}')`, database))
}

function overwrite(file: string, at: number, bytes: number[]): void {
  const descriptor = openSync(file, 'r+')
  writeSync(descriptor, Buffer.from(bytes), 0, bytes.length, at)
  closeSync(descriptor)
}

// Without checksums pg_basebackup copies all of it, and the manifest is that of damaged files.
for (const major of oldestAndNewest)
  describe(`a proof of what was damaged on a server of PostgreSQL ${major}`, () => {
    let backup: MadeBackup
    let faults: string[]

    beforeAll(async () => {
      const server = await aServer({ major, checksums: false })
      const databases = ['rows', 'ordered', 'gone', 'torn', 'visible', 'sound']
      for (const name of databases) {
        await server.sql(`create database ${name}`)
        await server.sql(`create table t as ${rows}; create index i on t (text); create sequence s`, name)
      }
      await server.sql('create index g on t using gin (to_tsvector($$simple$$, text))', 'gone')
      await server.sql('vacuum t; delete from t where id = 1', 'visible')
      const files = {
        rows: await fileOf(server, 'rows', 't'),
        ordered: await fileOf(server, 'ordered', 'i'),
        gin: await fileOf(server, 'gone', 'g'),
        sequence: await fileOf(server, 'gone', 's'),
        table: await fileOf(server, 'gone', 't'),
        torn: await fileOf(server, 'torn', 't'),
        map: `${await fileOf(server, 'visible', 't')}_vm`,
      }
      await server.stop()
      // The lower 16 bits of t_infomask2 and t_infomask of the last row of a page (htup_details.h).
      const page = readFileSync(files.rows).subarray(0, 8192)
      const row = page.readUInt16LE(14)
      overwrite(files.rows, row + 18, [0xff, 0xff])
      overwrite(files.rows, row + 22, [0xff])
      overwrite(files.ordered, 8192 + 200, Array(4000).fill(0x41))
      for (const file of [files.gin, files.sequence, files.table]) rmSync(file)
      truncateSync(files.torn, 3 * 8192 + 100)
      overwrite(files.map, 24, [0x03])
      await server.start()
      backup = await aBackupOf(server)
      const { stdout } = await runPgbk(['verify', '--prove', '--json', '-C', backup.root])
      ;({ faults } = JSON.parse(stdout).checks[0].proof)
    }, 240_000)

    it.each([
      ['a table', /^database gone: table public\.t: its file base\/\d+\/\d+ is missing$/],
      ['an index of any kind', /^database gone: index public\.g: its file base\/\d+\/\d+ is missing$/],
      ['a sequence', /^database gone: sequence public\.s: its file base\/\d+\/\d+ is missing$/],
    ])('finds that the file of %s is missing', (_, fault) => {
      expect(faults).toContainEqual(expect.stringMatching(fault))
    })

    it('finds an index whose pages are other ones', () => {
      expect(faults).toContainEqual(expect.stringMatching(/^database ordered: index public\.i: /))
    })

    it('finds a file that ends within a page', () => {
      expect(faults).toContainEqual(
        expect.stringMatching(/^database torn: table public\.t: its file \S+ has 24676 bytes/),
      )
    })

    it('finds that the visibility map lies', () => {
      expect(faults).toContainEqual(
        expect.stringMatching(/^database visible: table public\.t: row \(\d+,\d+\) is not visible to all/),
      )
    })

    // Before, amcheck knows no tables.
    if (major >= 14)
      it('finds rows that are none', () => {
        expect(faults).toContainEqual(expect.stringMatching(/^database rows: table public\.t: block 0, /))
      })

    it('finds nothing in what is sound', () => {
      expect(faults.filter((fault) => fault.includes('sound'))).toEqual([])
    })
  })
