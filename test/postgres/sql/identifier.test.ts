import { beforeAll, describe, expect, it } from '@jest/globals'
import { identifier, literal } from '../../../src/postgres/sql/identifier.js'
import { thrownBy } from '../../catalog/samples.js'
import { seed } from '../../helpers/chance.js'
import { oddTexts } from '../../helpers/odd-texts.js'
import { eachMajorFrom } from '../../helpers/programs.js'
import { aServer, type TestServer } from '../../helpers/server.js'

eachMajorFrom(13, (major) => {
  describe(`for PostgreSQL ${major}`, () => {
    let server: TestServer
    beforeAll(async () => {
      server = await aServer({ major })
    }, 120_000)

    it.each(['on', 'off'])(
      `names and literals are what they were, with standard_conforming_strings %s (seed ${seed})`,
      async (setting) => {
        // The server cuts names after 63 bytes.
        const texts = oddTexts(`sql ${major}`).filter((text) => Buffer.byteLength(text) < 60)
        const statements = texts.flatMap((text) => [
          `create role ${identifier(text)};`,
          `insert into said values (${literal(text)});`,
        ])
        const ask = `
          select string_agg(encode(convert_to(rolname, 'UTF8'), 'hex'), ',' order by oid) from pg_roles where oid > 16384;
          select string_agg(encode(convert_to(text, 'UTF8'), 'hex'), ',' order by n) from said;
          drop table said;`
        const drops = texts.map((text) => `drop role ${identifier(text)};`).join('\n')
        const set = `set standard_conforming_strings = ${setting}; set escape_string_warning = off;`
        const answer = await server.sql(
          `${set} create table said (text text, n serial); ${statements.join('\n')} ${ask} ${drops}`,
        )
        const expected = texts.map((text) => Buffer.from(text).toString('hex')).join()
        expect(answer.split('\n')).toEqual([expected, expected])
      },
    )

    it('every word that it reserves is quoted', async () => {
      const words = (
        await server.sql("select word from pg_get_keywords() where quote_ident(word) like '\"%'")
      ).split('\n')
      expect(words).toContain('select')
      expect(words.filter((word) => identifier(word) !== `"${word}"`)).toEqual([])
    })
  })
})

describe('a name', () => {
  it('stays plain where it can', () =>
    expect(['app', 'pgbk_1', 'App', 'größe', '1a', ''].map(identifier)).toEqual([
      'app',
      'pgbk_1',
      '"App"',
      '"größe"',
      '"1a"',
      '""',
    ]))

  it('has no zero byte, and nor has a literal', async () => {
    for (const quote of [identifier, literal])
      expect(await thrownBy(() => quote('a\0b'))).toMatchObject({ code: 'failed' })
  })
})
