import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'

/** What forbids a short number anywhere in a text. */
const forbidding = /not\s*\.to(?:Contain|Match)\(['"`/]\d{1,6}['"`/]/

const testsWith = (pattern: RegExp) =>
  readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => pattern.test(readFileSync(join(import.meta.dirname, name), 'utf8')))

it('no test forbids a short number anywhere in a text: a port or a process id has it one day', () => {
  expect(testsWith(forbidding)).toEqual([])
  expect(`expect(said).not.${'toContain'}('42')`).toMatch(forbidding)
})
