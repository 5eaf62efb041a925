import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

/** Who puts a text into quotes of another language, of which each has one way. */
const quoting: Record<string, string> = {
  'cli/completion/fish.ts': 'words of fish, whose quotes know a backslash',
  'postgres/sql/identifier.ts': 'names and literals of SQL',
  'schedule/systemd-units.ts': 'words of a unit of systemd',
  'snapshot/conf/auth-text.ts': 'words of pg_hba.conf',
  'snapshot/conf/conf-line.ts': 'values of postgresql.conf',
  'terminal/views/prometheus.ts': 'values of labels',
  'text/conninfo-value.ts': 'values of a connection string',
  'text/shell-word.ts': 'words of a shell',
}

/** Doubles a quote, or puts something before it. */
const doubling = /\.replace(?:All)?\((?:"'"|'"'), (?!'')|\.replace(?:All)?\(\/\[[^\]]*['"][^\]]*\]\/g, '\\\\/

function quoters(sources: Record<string, string>): string[] {
  return Object.keys(sources).filter((file) => doubling.test(sources[file] ?? ''))
}

describe('the sources', () => {
  const src = fileURLToPath(new URL('../src', import.meta.url))
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const sources = Object.fromEntries(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]))

  it('quote for each language in one place', () =>
    expect(quoters(sources).sort()).toEqual(Object.keys(quoting).sort()))
})

it.each([
  `const text = \`'\${name.replaceAll("'", "''")}'\``,
  `return \`"\${name.replace('"', '""')}"\``,
  String.raw`return name.replace(/[\\']/g, '\\$&')`,
])('the check of made-up sources finds %j', (text) => expect(quoters({ 'a.ts': text })).toEqual(['a.ts']))

it('takes what only takes quotes away for what it is', () =>
  expect(quoters({ 'a.ts': `name.replaceAll("'", '')` })).toEqual([]))
