import { fstatSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, it } from '@jest/globals'
import { type Descriptors, descriptors } from '../../../src/system/files/descriptors.js'
import { aDirectory } from '../../helpers/places.js'

let opened: string[]
let files: Descriptors<string>
beforeEach(() => {
  const place = aDirectory()
  opened = []
  files = descriptors(2, (name) => {
    opened.push(name)
    return openSync(join(place, name), 'w')
  })
})

it('opens a file once, and closes the one that was used longest ago when there are too many', () => {
  const a = files.get('a')
  const b = files.get('b')
  expect([files.get('b'), files.get('a'), files.get('a')]).toEqual([b, a, a])
  files.get('c')
  expect(() => fstatSync(a)).not.toThrow()
  files.get('a')
  expect(opened).toEqual(['a', 'b', 'c'])
  files.get('b')
  expect(opened).toEqual(['a', 'b', 'c', 'b'])
})

it('opens a file anew that it was told to close, the last one that was used too', () => {
  const closed = files.get('a')
  files.close('a')
  expect(() => fstatSync(closed)).toThrow('EBADF')
  files.get('a')
  files.get('b')
  files.close('a')
  files.get('a')
  expect(opened).toEqual(['a', 'a', 'b', 'a'])
})
