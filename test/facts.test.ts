import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'

/** Errors of other programs, whose text is all that there is. */
const allowed: Record<string, string> = {
  'cli/declare.ts': "commander's errors",
  'postgres/local/log-entries.ts': "lines of a server's log",
}

const thrown = String.raw`(?:\b(?:error|cause|failure|fault|reason)\.message|messageOf\([^()]*\))`
const looking = [
  new RegExp(
    String.raw`${thrown}\s*\.(?:replace|replaceAll|match|matchAll|split|slice|search|startsWith|endsWith|includes|indexOf)\(`,
  ),
  new RegExp(String.raw`\.(?:test|exec|includes)\(\s*${thrown}`),
  new RegExp(String.raw`${thrown}\s*[!=]==|[!=]==\s*${thrown}`),
]

function lookInMessages(text: string): boolean {
  return looking.some((pattern) => pattern.test(text))
}

it('what an error is about is read from its facts, and never from its message', () => {
  const src = fileURLToPath(new URL('../src', import.meta.url))
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  expect(files.length).toBeGreaterThan(100)
  const found = files.filter((file) => lookInMessages(readFileSync(join(src, file), 'utf8')))
  expect(found.filter((file) => allowed[file] === undefined)).toEqual([])
})

it.each([
  'if (/port/.test(error.message)) return',
  "const said = error.message.replace(/^it /, '')",
  "error.message === 'it is gone'",
  'const [, name] = /x/.exec(messageOf(error)) ?? []',
])('a look into a message is found: %s', (text) => expect(lookInMessages(text)).toBe(true))
