import { linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { strangeEntries } from '../../src/snapshot/plain-tree.js'
import { aDirectory } from '../helpers/places.js'

const { signal } = new AbortController()
const rules = { linkTarget: (name: string) => (name === 'good' ? 'a' : undefined), signal }

function aTree(): string {
  const top = aDirectory()
  mkdirSync(join(top, 'a'))
  writeFileSync(join(top, 'a/file'), 'text')
  symlinkSync('a', join(top, 'good'))
  return top
}

describe('what does not belong in a tree', () => {
  it('is nothing where there are files, directories and the links that may be there', async () =>
    expect(await strangeEntries(aTree(), rules)).toEqual([]))

  it.each<[string, (top: string) => void]>([
    ['a symbolic link to a', (top) => symlinkSync('a', join(top, 'bad'))],
    ['a pipe', (top) => execaSync('mkfifo', [join(top, 'bad')])],
    ['a directory too deep', (top) => mkdirSync(join(top, ...Array(33).fill('bad')), { recursive: true })],
    ['a file with 2 names (hard links)', (top) => linkSync(join(top, 'a/file'), join(aDirectory(), 'other'))],
  ])('is told: %s', async (kind, add) => {
    const top = aTree()
    add(top)
    const found = await strangeEntries(top, rules)
    expect(found.map((entry) => entry.kind)).toEqual([kind])
  })
})
