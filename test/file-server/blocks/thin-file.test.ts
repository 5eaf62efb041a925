import { expect, it } from '@jest/globals'
import { ThinFile } from '../../../src/file-server/blocks/thin-file.js'
import { bytePath } from '../../../src/system/paths/byte-path.js'
import { anOrigin, aStore } from '../../helpers/file-server.js'

const path = bytePath('table')

/** A file of these bytes, in a store that takes so many. */
function aFile(bytes: Buffer, room = Number.POSITIVE_INFINITY) {
  const store = aStore(room)
  const file = new ThinFile({ origin: anOrigin({ table: bytes }), store }, 7, path, bytes.length)
  const all = () => {
    const into = Buffer.alloc(file.size + 1)
    return into.subarray(0, file.read(0, into, 0, into.length))
  }
  return { file, all, store }
}

const letters = (length: number, letter: string) => Buffer.alloc(length, letter)

it('takes nothing until it is written, and then only the blocks that are', () => {
  const { file, all, store } = aFile(letters(100_000, 'a'))
  expect(all()).toEqual(letters(100_000, 'a'))
  expect(store.files.size).toBe(0)
  file.write(8192, letters(4096, 'b'), 0, 4096)
  file.write(20_000, letters(10, 'c'), 0, 10)
  expect(store.written).toBe(4096 + 4096 + 10)
  const expected = letters(100_000, 'a').fill('b', 8192, 12_288).fill('c', 20_000, 20_010)
  expect(all()).toEqual(expected)
})

it('shows zeros, and nothing of old, when it has become shorter and longer again', () => {
  const { file, all } = aFile(letters(10_000, 'a'))
  file.write(9000, letters(3000, 'b'), 0, 3000)
  file.resize(5000)
  file.resize(11_000)
  expect(all()).toEqual(Buffer.concat([letters(5000, 'a'), Buffer.alloc(6000)]))
})

it('is as long as it was when there is no room for what is to make it longer', () => {
  const { file, all } = aFile(letters(8192, 'a'), 10_000)
  expect(() => file.write(8192, letters(16_384, 'b'), 0, 16_384)).toThrow('ENOSPC')
  expect(file.size).toBe(8192)
  file.resize(20_000)
  expect(all()).toEqual(Buffer.concat([letters(8192, 'a'), Buffer.alloc(11_808)]))
})

it('takes all the room that is to be kept for it, or none', () => {
  const { file, store } = aFile(letters(8192, 'a'), 300_000)
  file.allocate(8192, 200_000)
  expect({ size: file.size, taken: store.written }).toEqual({ size: 208_192, taken: 200_000 })
  expect(() => file.allocate(208_192, 200_000)).toThrow('ENOSPC')
  expect(file.size).toBe(208_192)
})

it('keeps what is in a range for which room is taken', () => {
  const { file, all, store } = aFile(letters(700_000, 'a'))
  file.write(4096, letters(4096, 'b'), 0, 4096)
  file.allocate(1000, 900_000)
  const before = letters(700_000, 'a').fill('b', 4096, 8192)
  expect(all().equals(Buffer.concat([before, Buffer.alloc(201_000)]))).toBe(true)
  expect(store.written).toBeGreaterThan(900_000)
})

it('is an error, and not zeros, when the origin has become shorter', () => {
  const { file } = aFile(letters(8192, 'a'))
  const shorter = new ThinFile(
    { origin: anOrigin({ table: letters(100, 'a') }), store: aStore() },
    1,
    path,
    file.size,
  )
  expect(() => shorter.read(0, Buffer.alloc(8192), 0, 8192)).toThrow('EIO')
})
