import { randomNumbers } from './chance.js'

/** What means something to a shell, to SQL, to psql, to cron, systemd or a configuration file, and what is only rare. */
const pieces = [
  "'",
  '"',
  '\\',
  "\\'",
  "''",
  "'\\''",
  '\n',
  '\t',
  ' ',
  '%',
  '%%',
  '$',
  '$HOME',
  '$$',
  '$(id)',
  '`id`',
  '-',
  '--',
  '=',
  '~',
  '!',
  '#',
  ';',
  '&',
  '|',
  '*',
  '{a,b}',
  ':name',
  ":'name'",
  '\\! id',
  '/*',
  '%n',
  'x',
  'A',
  'ß',
  '語',
  '🐘',
  '\u00a0',
  '\u2028',
  'select',
  '\x01',
  '\r',
  '\x7f',
]

/** Texts that each stand for a case, and random ones, the same for the same seed (helpers/chance.ts) and name. */
export function oddTexts(name: string, count = 60): string[] {
  const numbers = randomNumbers(count * 9, 1e9, name)
  const random = Array.from({ length: count }, (_, index) => {
    const [length = 0, ...which] = numbers.slice(index * 9, index * 9 + 9)
    return which
      .slice(0, 1 + (length % 8))
      .map((number) => pieces[number % pieces.length])
      .join('')
  })
  const chosen = [
    '-n',
    '--help',
    "it's",
    "z\\' \\! touch /tmp/x #",
    "'; drop table x; --",
    '=ls',
    'a b',
    '\\',
  ]
  return [...new Set([...chosen, ...pieces, ...random])]
}

/** The same, of what has no control character. */
export function oddLines(name: string, count?: number): string[] {
  return oddTexts(name, count).filter((text) => !/\p{Cc}/u.test(text))
}
