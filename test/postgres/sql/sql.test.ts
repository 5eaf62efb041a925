import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { Sql, sql } from '../../../src/postgres/sql/sql.js'
import { thrownBy } from '../../catalog/samples.js'

const src = fileURLToPath(new URL('../../../src', import.meta.url))
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
const textOf = (file: string) => readFileSync(join(src, file), 'utf8')

/** All SQL of pgbk, by its file; what is quoted into it stands there as `${...}`. */
const statements = sources.flatMap((file) =>
  [...textOf(file).matchAll(/\bsql`([^`]*)`/g)].map(([, text = '']) => ({ file, text })),
)

/** The demo's own server is asked as its visitors would ask it. */
const own = statements.filter(({ text }) => !/^\s*RESET search_path;\nCREATE TABLESPACE/.test(text))

/** What stands before a parenthesis, and is a part of SQL itself. */
const syntax = new Set(
  'and any as array case coalesce exists extract from greatest in lateral least nullif on or over select then values when where with materialized operator'.split(
    ' ',
  ),
)

/** Names that search_path would look for. */
function unqualified(text: string): string[] {
  const bare = text.replace(/'[^']*'/g, "''").replace(/\$\{[^}]*\}/g, '"x"')
  const relations = [...bare.matchAll(/(?<![\w.])pg_(?!catalog\b|temp\b)\w+/g)].map(([name]) => name)
  const functions = [...bare.matchAll(/(?<![\w.:'])(\w+) ?\(/g)]
    .map(([, name = '']) => name)
    .filter((name) => !syntax.has(name.toLowerCase()))
  return [...relations, ...functions]
}

/** Casts by which PostgreSQL itself comes from a number to another, and from a literal: nobody can put one in their place. */
const harmlessCast = /^::(bigint$|pg_catalog\.reg)/

describe('the SQL of pgbk', () => {
  it('is found', () => expect(statements.length).toBeGreaterThan(25))

  it('names what it asks with its schema', () =>
    expect(own.flatMap(({ file, text }) => unqualified(text).map((name) => `${file}: ${name}`))).toEqual([]))

  it('has no cast that somebody could have made', () => {
    const casts = own.flatMap(({ file, text }) =>
      [...text.matchAll(/::[\w.]+/g)]
        .filter(([cast]) => !harmlessCast.test(cast))
        .map(([cast]) => `${file}: ${cast}`),
    )
    expect(casts).toEqual([])
  })

  it('takes in nothing but names and literals that Sql has quoted', () => {
    const pieces = statements.flatMap(({ text }) =>
      [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, piece]) => piece),
    )
    expect(pieces.filter((piece) => !/^Sql\.(named|quoted)\(/.test(piece ?? ''))).toEqual([])
  })

  it('stands nowhere without its tag', () => {
    const words =
      /['"`]\s*(SELECT|INSERT|UPDATE|DELETE|ALTER (ROLE|SYSTEM|DATABASE)|CREATE|DROP|SET|DO|WITH) /
    const untagged = sources.flatMap((file) =>
      textOf(file)
        .split('\n')
        .filter((line) => words.test(line.replaceAll(/\bsql`/g, '')))
        .map((line) => `${file}: ${line.trim()}`),
    )
    // What is printed for a person, and the questions of the demo, which are shown as psql is called.
    expect(untagged.filter((line) => !/^(demo\/demo\.ts|.*(hint|then, as a superuser))/.test(line))).toEqual(
      [],
    )
  })
})

describe('the tag', () => {
  it('tells what is constant from what has a name in it', () => {
    expect(sql`SELECT 1`).toMatchObject({ text: 'SELECT 1', isConstant: true })
    const named = sql`DROP ROLE ${Sql.named('a"b')}; SELECT ${Sql.quoted("it's \\")}`
    expect(named).toMatchObject({ text: `DROP ROLE "a""b"; SELECT  E'it''s \\\\'`, isConstant: false })
  })

  it.each([["SELECT 'a\\b'"], ['SELECT 1 -- ä'], ['\t']])('refuses %j in the source', async (text) => {
    const parts = Object.freeze(Object.assign([text], { raw: [text] }))
    expect(await thrownBy(() => sql(parts))).toMatchObject({ code: 'failed' })
  })

  it('cannot be called with a text that was put together', async () => {
    const parts = Object.assign([`SELECT ${1 + 1}`], { raw: [] })
    expect(await thrownBy(() => sql(parts))).toMatchObject({ code: 'failed' })
  })
})

describe('the search for what has no schema', () => {
  it.each([
    ['SELECT count(*) FROM pg_catalog.pg_class', ['count']],
    ['SELECT 1 FROM pg_class', ['pg_class']],
    ["SELECT 'pg_class', pg_catalog.count(*) FROM x WHERE a IN (1)", []],
  ])('in %s', (text, found) => expect(unqualified(text)).toEqual(found))
})
