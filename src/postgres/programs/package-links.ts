import { existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { PgbkError } from '../../errors.js'
import { checkJson, v } from '../../schema.js'

const schema = v.array(v.object({ source: v.string(), target: v.string() }))

/**
 * Makes the links that a package lists: those of npm hold none, and what would make them is a script, which is not run here. They
 * lead from one place of the package to another.
 * @throws {PgbkError} `damaged` for a list that means anything else.
 */
export function makePackageLinks(directory: string): void {
  const list = join(directory, 'native', 'pg-symlinks.json')
  if (!existsSync(list)) return
  for (const { source, target } of linksIn(readFileSync(list, 'utf8'))) {
    const link = inside(directory, target)
    const linked = inside(directory, source)
    if (existsSync(link)) continue
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(relative(dirname(link), linked), link)
  }
}

function linksIn(text: string): { source: string; target: string }[] {
  const { value } = checkJson(schema, text)
  if (value) return value
  throw new PgbkError('damaged', "the package's list of links (native/pg-symlinks.json) cannot be read")
}

function inside(directory: string, name: string): string {
  const isPlain = name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  if (isPlain && !name.includes('\0')) return join(directory, name)
  throw new PgbkError('damaged', `the package lists a link outside of itself: ${JSON.stringify(name)}`)
}
