import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { systemCode } from '../../../src/errors.js'
import { writeDurably } from '../../../src/system/files/durable.js'
import {
  openRegularFile,
  piecesOf,
  readPiece,
  readSmall,
  readSmallIfThere,
  readSmallText,
  readTail,
} from '../../../src/system/files/read-small.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory, atEnd } from '../../helpers/places.js'

let place: string
const at = (name: string) => join(place, name)
beforeAll(async () => {
  place = aDirectory()
  writeFileSync(at('file'), 'content')
  mkdirSync(at('directory'))
  symlinkSync('file', at('link'))
  symlinkSync('/dev/zero', at('link to a device'))
  symlinkSync('nowhere', at('broken link'))
  symlinkSync('loop', at('loop'))
  execFileSync('mkfifo', [at('pipe')])
  writeFileSync(at('huge'), '')
  truncateSync(at('huge'), 2 ** 42)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(at('socket'), resolve))
  atEnd(async () => void server.close())
})

const odd = [
  ['directory', 'a directory'],
  ['link', 'a symbolic link'],
  ['link to a device', 'a symbolic link'],
  ['broken link', 'a symbolic link'],
  ['loop', 'a symbolic link'],
  ['pipe', 'a pipe'],
  ['socket', 'a socket'],
] as const

async function drain(path: string): Promise<void> {
  for await (const _ of piecesOf(path)) break
}

describe.each(odd)('in the place of a file, a %s', (name, kind) => {
  it.each([
    ['readSmall', (path: string) => readSmall(path, 100)],
    ['readSmallIfThere', (path: string) => readSmallIfThere(path, 100)],
    ['readTail', (path: string) => readTail(path, 100)],
    ['readPiece', (path: string) => readPiece(path, 0, 100)],
    ['openRegularFile', openRegularFile],
    ['piecesOf', drain],
  ])('is refused by %s', async (_, work) => {
    const error = await thrownBy(() => work(at(name)))
    expect(error).toMatchObject({
      code: 'damaged',
      message: `${at(name)} is ${kind}, where a file was expected`,
    })
  })

  it('is neither followed nor waited for by what writes', async () => {
    const error = await thrownBy(() => writeDurably(at(name), 'x'))
    if (name !== 'directory') expect(['ELOOP', 'ENXIO']).toContain(systemCode(error))
    expect(readSmallText(at('file'), 100)).toBe('content')
  })
})

describe('a file', () => {
  it('is read whole', () => expect(readSmallText(at('file'), 7)).toBe('content'))
  it('that is larger than it may be is refused, and not read', async () => {
    expect(await thrownBy(() => readSmall(at('file'), 6))).toMatchObject({ code: 'damaged' })
    expect(await thrownBy(() => readSmall(at('huge'), 1 << 20))).toMatchObject({ code: 'damaged' })
  })
  it('of a system that tells no size is read, and refused where it is larger', async () => {
    expect(readSmallText('/proc/self/stat', 4096)).toContain(`${process.pid}`)
    expect(await thrownBy(() => readSmall('/proc/self/maps', 100))).toMatchObject({ code: 'damaged' })
  })
  it('has an end and pieces', () => {
    expect(readTail(at('file'), 3).toString()).toBe('ent')
    expect(readTail(at('huge'), 3)).toEqual(Buffer.alloc(3))
    expect(readPiece(at('file'), 2, 3).toString()).toBe('nte')
    expect(readPiece(at('file'), 5, 30).toString()).toBe('nt')
  })
  it('that is not there is an error of the system, or undefined', async () => {
    expect(systemCode(await thrownBy(() => readSmall(at('none'), 1)))).toBe('ENOENT')
    expect(readSmallIfThere(at('none'), 1)).toBeUndefined()
  })
})
