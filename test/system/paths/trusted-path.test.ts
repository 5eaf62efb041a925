import { chmodSync, lchownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import {
  firstUntrusted,
  isShared,
  type Trust,
  trustOf,
  walkTrusted,
} from '../../../src/system/paths/trusted-path.js'
import { aDirectory } from '../../helpers/places.js'
import { ifRoot, isRoot, ordinaryUser } from '../../helpers/users.js'

/** Not the user nobody, who stands in where there is no `postgres`. */
const nobody = 65_533
const trust: Trust = { uids: [0, ordinaryUser.uid], gids: [] }

/** `a/b/c/file`, of the ordinary user alone. */
function aTree() {
  const top = aDirectory()
  const paths = ['a', 'a/b', 'a/b/c'].map((name) => join(top, name))
  for (const path of paths) mkdirSync(path, { mode: 0o755 })
  const file = join(top, 'a/b/c/file')
  writeFileSync(file, '', { mode: 0o644 })
  for (const path of [...paths, file]) if (isRoot) lchownSync(path, ordinaryUser.uid, ordinaryUser.gid)
  return { top, middle: join(top, 'a/b'), file }
}

describe('a path', () => {
  it('is trusted when all on the way is, and what is missing is no fault', () => {
    const { file, top } = aTree()
    expect(firstUntrusted(file, trust)).toBeUndefined()
    expect(walkTrusted(join(top, 'a/./b//../b/c/file'), trust)).toEqual({ real: file })
    expect(walkTrusted(join(top, 'a/missing/x'), trust)).toEqual({ real: join(top, 'a/missing/x') })
  })

  it.each([
    [0o777, 'can be written by others (mode 777)'],
    [0o775, 'can be written by others (mode 775)'],
    [0o757, 'can be written by others (mode 757)'],
    [0o2775, 'can be written by others (mode 2775)'],
  ])('is not when a directory on the way has mode %o', (mode, reason) => {
    const { file, middle } = aTree()
    chmodSync(middle, mode)
    expect(firstUntrusted(file, trust)).toEqual({ path: middle, reason, remedy: `chmod go-w ${middle}` })
    expect(firstUntrusted(middle, trust)).toMatchObject({ path: middle })
  })

  it('may lead through a sticky directory, in which others can touch nothing', () => {
    const { file, middle } = aTree()
    chmodSync(middle, 0o1777)
    expect(firstUntrusted(file, trust)).toBeUndefined()
    expect([isShared(middle), isShared(join(middle, 'c')), isShared('/no/such')]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('may lead through a directory that is open to a trusted group, and end at no such file', () => {
    const { file, middle } = aTree()
    chmodSync(middle, 0o775)
    const own = { ...trust, gids: [isRoot ? ordinaryUser.gid : (process.getgid?.() ?? -1)] }
    expect(firstUntrusted(file, own)).toBeUndefined()
    chmodSync(file, 0o664)
    expect(firstUntrusted(file, own)).toMatchObject({ path: file })
  })

  it('goes through links as the system does, and looks at all that they lead through', () => {
    const { top, file, middle } = aTree()
    const other = aTree()
    symlinkSync(join(middle, 'c'), join(other.top, 'link'))
    symlinkSync('../../link/..', join(other.middle, 'relative'))
    const way = join(other.middle, 'relative/c/file')
    expect(walkTrusted(way, trust)).toEqual({ real: file })
    chmodSync(join(top, 'a'), 0o777)
    expect(firstUntrusted(way, trust)).toMatchObject({ path: join(top, 'a') })
  })

  it('with a link that leads in a circle is not trusted', () => {
    const { top } = aTree()
    symlinkSync('circle', join(top, 'circle'))
    expect(firstUntrusted(join(top, 'circle'), trust)?.reason).toMatch(/too many links/)
  })

  it('below what belongs to somebody else is not trusted, whoever owns the rest', () => {
    const { file, middle, top } = aTree()
    const stranger = { uids: [0], gids: [] }
    expect(firstUntrusted(file, isRoot ? stranger : { uids: [nobody, 0], gids: [] })).toMatchObject({
      path: top,
      reason: `belongs to another user (uid ${ordinaryUser.uid})`,
      remedy: undefined,
    })
    if (!isRoot) return
    lchownSync(middle, nobody, nobody)
    expect(firstUntrusted(file, trust)).toMatchObject({ path: middle })
  })

  ifRoot('through a link of somebody else is not trusted', async () => {
    const { file, top } = aTree()
    const link = join(top, 'link')
    symlinkSync('a', link)
    lchownSync(link, nobody, nobody)
    expect(firstUntrusted(join(link, 'b/c/file'), trust)).toMatchObject({ path: link })
    expect(firstUntrusted(file, trust)).toBeUndefined()
  })
})

describe('the trust of a user', () => {
  it('is in root, and in oneself', () => {
    expect(trustOf({ uid: 4711, gid: 4711, name: 'no-such-user' })).toEqual({
      uids: [0, 4711],
      gids: process.platform === 'darwin' ? [80] : [],
    })
    expect(trustOf({ uid: 0, gid: 0, name: 'root' }).uids).toEqual([0])
  })

  it('is in the group of the same name that has no other member, and in none that is shared', () => {
    if (process.platform === 'darwin') return
    expect(trustOf({ uid: 0, gid: 0, name: 'root' }).gids).toEqual([0])
    expect(trustOf({ uid: 4711, gid: 0, name: 'no-such-user' }).gids).toEqual([])
  })
})
