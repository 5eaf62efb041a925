import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { type CopyTreeOptions, copyTree } from '../../../src/system/files/copy-tree.js'
import type { TreeEntry } from '../../../src/system/files/walk-tree.js'
import { namesIn } from '../../../src/system/paths/names-in.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const options = (changes: Partial<CopyTreeOptions> = {}): CopyTreeOptions => ({
  mode: 0,
  signal: new AbortController().signal,
  ...changes,
})

function aTree(): string {
  const top = aDirectory()
  mkdirSync(join(top, 'a/b'), { recursive: true })
  mkdirSync(join(top, 'empty'))
  writeFileSync(join(top, 'a/file'), 'text')
  chmodSync(join(top, 'a/file'), 0o640)
  chmodSync(join(top, 'a'), 0o750)
  for (let n = 0; n < 20; n++) writeFileSync(join(top, `a/b/${n}`), String(n))
  symlinkSync('../elsewhere', join(top, 'link'))
  return top
}

describe('a copied tree', () => {
  it('has every file, mode and link', async () => {
    const [from, to] = [aTree(), aDirectory()]
    await copyTree(from, to, options({ durable: true }))
    expect(readdirSync(to, { recursive: true }).sort()).toEqual(readdirSync(from, { recursive: true }).sort())
    for (const name of readdirSync(to, { recursive: true }).map(String)) {
      const [copy, original] = [lstatSync(join(to, name)), lstatSync(join(from, name))]
      expect([name, copy.mode]).toEqual([name, original.mode])
      if (copy.isFile()) expect(readFileSync(join(to, name))).toEqual(readFileSync(join(from, name)))
    }
    expect(readlinkSync(join(to, 'link'))).toBe('../elsewhere')
  })

  it('leaves the topmost directory as it is, and out what is to be left out', async () => {
    const [from, to] = [aTree(), aDirectory()]
    chmodSync(from, 0o755)
    chmodSync(to, 0o700)
    const leaveOut = ({ name, kind }: TreeEntry) => name === 'a/b' || kind.isSymbolicLink()
    await copyTree(from, to, options({ keepTop: true, leaveOut }))
    expect(lstatSync(to).mode & 0o777).toBe(0o700)
    expect(readdirSync(to, { recursive: true }).sort()).toEqual(['a', 'a/file', 'empty'])
  })

  it('has empty files with their modes, names that are no UTF-8, and more files than are flushed one by one', async () => {
    const [from, to] = [aDirectory(), aDirectory()]
    for (let file = 0; file < 2100; file++) writeFileSync(join(from, String(file)), '')
    chmodSync(join(from, '7'), 0o644)
    const odd = (top: string) => Buffer.concat([Buffer.from(`${top}/`), Buffer.from([0xe9])])
    writeFileSync(odd(from), 'x')
    await copyTree(from, to, options({ durable: true }))
    expect(readdirSync(to)).toHaveLength(2101)
    expect(lstatSync(join(to, '7')).mode & 0o777).toBe(0o644)
    expect(readFileSync(odd(to), 'utf8')).toBe('x')
  })

  it('counts the bytes of its files', async () => {
    let bytes = 0
    await copyTree(
      aTree(),
      aDirectory(),
      options({
        onFile: (more) => {
          bytes += more
        },
      }),
    )
    expect(bytes).toBe(4 + 10 + 2 * 10)
  })

  it('ends with the first failure, and writes nothing more', async () => {
    const [from, to] = [aTree(), aDirectory()]
    const failing = options({
      onFile: () => {
        throw new RangeError('enough')
      },
    })
    expect(await thrownBy(() => copyTree(from, to, failing))).toBeInstanceOf(RangeError)
    const then = readdirSync(to, { recursive: true }).length
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(readdirSync(to, { recursive: true })).toHaveLength(then)
    expect(then).toBeLessThan(readdirSync(from, { recursive: true }).length)
  })

  it('is none when it is aborted before', async () => {
    const to = aDirectory()
    const signal = AbortSignal.abort(new RangeError('stop'))
    expect(await thrownBy(() => copyTree(aTree(), to, options({ signal })))).toBeInstanceOf(RangeError)
    expect(readdirSync(to)).toEqual([])
  })
})

describe('the names in a directory', () => {
  it('are none where there is none', () => {
    const directory = aDirectory()
    writeFileSync(join(directory, 'file'), '')
    expect(namesIn(directory)).toEqual(['file'])
    expect(namesIn(join(directory, 'not-there'))).toEqual([])
    expect(namesIn(join(directory, 'file'))).toEqual([])
  })

  it('fail in every other way, but those that are forgiven', async () => {
    const endless = join(aDirectory(), 'x'.repeat(300))
    expect(await thrownBy(() => namesIn(endless))).toMatchObject({ code: 'ENAMETOOLONG' })
    expect(namesIn(endless, 'ENAMETOOLONG')).toEqual([])
  })
})
