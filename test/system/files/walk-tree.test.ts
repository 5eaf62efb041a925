import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { systemCode } from '../../../src/errors.js'
import { removeContents, removeTree } from '../../../src/system/files/remove-tree.js'
import { treeEntries, walkTree } from '../../../src/system/files/walk-tree.js'
import { type BytePath, bytePath, joinBytes, systemPath } from '../../../src/system/paths/byte-path.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const odd = bytePath(Buffer.from([0x64, 0xff]))
const alike = bytePath(Buffer.from([0x64, 0xfe]))

/** With names that look the same when they are read as UTF-8, one below the other, and a link out. */
function aTree(outside = aDirectory()): string {
  const top = aDirectory()
  const at = (...names: BytePath[]) => systemPath([bytePath(top), ...names].reduce(joinBytes))
  for (const name of [odd, alike]) mkdirSync(at(name))
  writeFileSync(at(odd, alike), 'x')
  writeFileSync(join(top, 'ünï'), 'x')
  symlinkSync(outside, join(top, 'link'))
  return top
}

const namesBelow = (top: string) => [...treeEntries(bytePath(top))].map(({ name }) => name)

describe('a walk', () => {
  it('finds every name as the bytes that it is, directories first, and follows no link', () => {
    const outside = aDirectory()
    writeFileSync(join(outside, 'file'), 'x')
    const names = namesBelow(aTree(outside))
    expect([...names].sort()).toEqual(
      [odd, alike, joinBytes(odd, alike), bytePath('ünï'), bytePath('link')].sort(),
    )
    expect(names.indexOf(odd)).toBeLessThan(names.indexOf(joinBytes(odd, alike)))
  })

  it('finds all of very many', async () => {
    const top = aDirectory()
    for (let file = 0; file < 3000; file++) writeFileSync(join(top, String(file)), '')
    let seen = 0
    await walkTree(bytePath(top), () => seen++)
    expect(seen).toBe(3000)
  })

  it('ends when it is aborted', async () => {
    const top = aDirectory()
    for (let file = 0; file < 300; file++) writeFileSync(join(top, String(file)), '')
    const signal = AbortSignal.abort(new RangeError('stop'))
    expect(await thrownBy(() => walkTree(bytePath(top), () => {}, { signal }))).toBeInstanceOf(RangeError)
  })

  it('of what is not there names it, unless it may have gone', async () => {
    const path = join(aDirectory(), 'gone')
    const error = await thrownBy(() => walkTree(bytePath(path), () => {}))
    expect([systemCode(error), error]).toEqual(['ENOENT', expect.objectContaining({ path })])
    await walkTree(bytePath(path), () => {}, { mayGo: true })
  })
})

describe('a removed tree', () => {
  it('is gone, whatever its names are, and nothing that its links lead to', async () => {
    const outside = aDirectory()
    writeFileSync(join(outside, 'file'), 'x')
    const top = aTree(outside)
    await removeTree(bytePath(top))
    expect(systemCode(await thrownBy(async () => readdirSync(top)))).toBe('ENOENT')
    expect(readdirSync(outside)).toEqual(['file'])
    await removeTree(bytePath(top))
  })

  it('may keep some of what is at its top', async () => {
    const top = aTree()
    await removeContents(top, ['link', 'not there'])
    expect(readdirSync(top)).toEqual(['link'])
  })
})
