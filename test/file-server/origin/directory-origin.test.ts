import { mkdirSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, it } from '@jest/globals'
import { directoryOrigin } from '../../../src/file-server/origin/directory-origin.js'
import type { Origin } from '../../../src/file-server/origin/origin.js'
import { bytePath } from '../../../src/system/paths/byte-path.js'
import { aDirectory } from '../../helpers/places.js'

let place: string
let origin: Origin
beforeEach(() => {
  place = aDirectory()
  mkdirSync(join(place, 'root/inner'), { recursive: true })
  writeFileSync(join(place, 'root/inner/file'), 'of the backup')
  writeFileSync(join(place, 'secret'), 'of somebody')
  symlinkSync('../secret', join(place, 'root/link'))
  origin = directoryOrigin(join(place, 'root'))
})

const read = (path: string) => {
  const into = Buffer.alloc(100)
  return into.toString('utf8', 0, origin.read(bytePath(path), 0, into, 0, 100))
}

it('lists, describes and reads what is there', () => {
  utimesSync(join(place, 'root/inner/file'), new Date(-1500), new Date(-1500))
  expect(
    origin
      .list(bytePath(''))
      .map(({ name, kind }) => `${name} ${kind}`)
      .sort(),
  ).toEqual(['inner directory', 'link link'])
  expect(origin.attributes(bytePath('inner/file'))).toMatchObject({
    size: 13,
    mtime: { seconds: -2, nanoseconds: 500_000_000 },
  })
  expect(origin.target(bytePath('link')).toString()).toBe('../secret')
  expect(read('inner/file')).toBe('of the backup')
})

it('follows no link, at the end of a path or on the way', () => {
  expect(() => read('link')).toThrow('ELOOP')
  renameSync(join(place, 'root/inner'), join(place, 'inner'))
  symlinkSync('..', join(place, 'root/inner'))
  expect(() => read('inner/secret')).toThrow(/ENOTDIR|ELOOP/)
})
