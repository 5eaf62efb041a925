import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { copyInBulk } from '../../../src/system/files/copy-in-bulk.js'
import { namesIn } from '../../../src/system/paths/names-in.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const { signal } = new AbortController()

function aTree(): string {
  const top = join(aDirectory(), 'from')
  mkdirSync(join(top, 'a'), { recursive: true })
  writeFileSync(join(top, 'a/file'), 'text')
  chmodSync(join(top, 'a/file'), 0o644)
  chmodSync(join(top, 'a'), 0o750)
  return top
}

describe('a copy in bulk', () => {
  it('has files and directories with their modes, and neither links nor pipes', async () => {
    const [from, to] = [aTree(), join(aDirectory(), 'to')]
    const outside = aDirectory()
    writeFileSync(join(outside, 'file'), 'x')
    symlinkSync(outside, join(from, 'link'))
    execaSync('mkfifo', [join(from, 'a/pipe')])
    expect(await copyInBulk(from, to, signal)).toBe(true)
    expect(readdirSync(to, { recursive: true, encoding: 'utf8' }).sort()).toEqual(['a', 'a/file'])
    expect(readFileSync(join(to, 'a/file'), 'utf8')).toBe('text')
    expect(['a', 'a/file'].map((name) => lstatSync(join(to, name)).mode & 0o777)).toEqual([0o750, 0o644])
    expect(readdirSync(outside)).toEqual(['file'])
  })

  it('leaves nothing where it fails', async () => {
    const to = join(aDirectory(), 'to')
    expect(await copyInBulk('/not/there', to, signal)).toBe(false)
    expect(namesIn(to)).toEqual([])
  })

  it('ends when it is aborted', async () => {
    const aborted = AbortSignal.abort(new RangeError('stop'))
    const work = () => copyInBulk(aTree(), join(aDirectory(), 'to'), aborted)
    expect(await thrownBy(work)).toBeInstanceOf(RangeError)
  })
})
