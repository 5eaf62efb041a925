import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'

/** The text of every source file by its path below src/. */
type Sources = Record<string, string>

/** A command of the command line is named after the function that does it. */
const mayRepeat = /^cli\/commands\//

const declaration =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type|enum) (\w+)/gm

/** The exported names that stand in more than one file, with the files. Several declarations in one file are overloads. */
function repeatedNames(sources: Sources): Record<string, string[]> {
  const files = new Map<string, string[]>()
  for (const [file, text] of Object.entries(sources)) {
    if (mayRepeat.test(file)) continue
    for (const name of new Set([...text.matchAll(declaration)].map(([, found = '']) => found)))
      files.set(name, [...(files.get(name) ?? []), file])
  }
  return Object.fromEntries([...files].filter(([, all]) => all.length > 1))
}

function sourcesIn(directory: string): Sources {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return Object.fromEntries(
    names
      .filter((name) => name.endsWith('.ts'))
      .map((name) => [name, readFileSync(join(directory, name), 'utf8')]),
  )
}

describe('an exported name', () => {
  it('means one thing: no two files of src/ export the same', () => {
    expect(repeatedNames(sourcesIn(fileURLToPath(new URL('../src', import.meta.url))))).toEqual({})
  })

  it('is found twice whatever it names, but for a command and its function', () => {
    const sources = {
      'one.ts': 'export async function start() {}\nexport interface Found {}\nfunction own() {}\n',
      'room/two.ts': 'export const start = 1\nexport type Found = 1\nexport function own() {}\n',
      'cli/commands/start.ts': 'export const start = {}\n',
    }
    expect(repeatedNames(sources)).toEqual({
      Found: ['one.ts', 'room/two.ts'],
      start: ['one.ts', 'room/two.ts'],
    })
  })
})
