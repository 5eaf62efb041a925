import { chmodSync, lchownSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import {
  isShortEnough,
  makeSocketDirectory,
  openSocket,
  removeSocketDirectory,
} from '../../../src/postgres/local/sockets.js'
import { aDirectory, atEnd } from '../../helpers/places.js'
import { ifRoot } from '../../helpers/users.js'

/** A directory with a socket in it. */
async function aSocket(port = 5432): Promise<string> {
  const directory = makeSocketDirectory()
  await listen(join(directory, `.s.PGSQL.${port}`))
  atEnd(() => removeSocketDirectory(directory))
  return directory
}

async function listen(path: string): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  atEnd(() => void server.close())
}

const open = (host: string, isPrivate = true) => {
  const door = openSocket({ host, port: 5432, isPrivate })
  door?.close()
  return door !== undefined
}

describe('a socket', () => {
  it('is found in a private directory of its own', async () => expect(open(await aSocket())).toBe(true))

  it('is not there yet, or its directory is not', () => {
    const directory = makeSocketDirectory()
    atEnd(() => removeSocketDirectory(directory))
    expect(open(directory)).toBe(false)
    expect(open(`${directory}/none`)).toBe(false)
  })

  it.each([0o750, 0o701, 0o777])('is not used in a private directory of mode %o', async (mode) => {
    const directory = await aSocket()
    chmodSync(directory, mode)
    expect(() => open(directory)).toThrow(/is not the caller's alone/)
    expect(open(directory, false)).toBe(true)
  })

  it('is not used in a private directory that a link leads to', async () => {
    const link = join(aDirectory(), 'link')
    symlinkSync(await aSocket(), link)
    expect(() => open(link)).toThrow(/not a directory for a socket/)
    expect(open(link, false)).toBe(true)
  })

  it('is not what has another kind', () => {
    const directory = makeSocketDirectory()
    atEnd(() => removeSocketDirectory(directory))
    writeFileSync(join(directory, '.s.PGSQL.5432'), '')
    expect(() => open(directory)).toThrow(/belongs to another user/)
  })

  it('is not asked for at a host', () =>
    expect(() => open('localhost')).toThrow(/not the directory of a socket/))

  ifRoot('of another user is not used, wherever it is', async () => {
    const directory = await aSocket()
    lchownSync(join(directory, '.s.PGSQL.5432'), 1, 1)
    expect(() => open(directory)).toThrow(/belongs to another user/)
    expect(() => open(directory, false)).toThrow(/belongs to another user/)
  })

  it('is reached however long its path is', async () => {
    const long = join(aDirectory(), 'x'.repeat(100))
    mkdirSync(long)
    expect(isShortEnough(long)).toBe(false)
    const door = openSocket({ host: long, port: 5432 })
    expect(door).toBeUndefined()
  })
})

describe('the removal of a directory of a socket', () => {
  it.each(['/tmp', '/tmp/pgbk-', '/tmp/pgbk-../..', '/etc', ''])('leaves %j alone', (path) => {
    expect(() => removeSocketDirectory(path)).not.toThrow()
  })

  it('follows no link', () => {
    const directory = aDirectory()
    writeFileSync(join(directory, 'kept'), '')
    const link = makeSocketDirectory()
    removeSocketDirectory(link)
    symlinkSync(directory, link)
    removeSocketDirectory(link)
    expect(() => writeFileSync(join(directory, 'kept'), '', { flag: 'wx' })).toThrow(/EEXIST/)
    rmSync(link)
  })
})
