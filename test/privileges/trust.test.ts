import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { checkWay, doubtOf } from '../../src/privileges/trust.js'
import { type Step, walk } from '../../src/privileges/walk.js'
import { thrownBy } from '../backup/samples.js'
import { aDirectory } from '../helpers/places.js'

const step = (changes: Partial<Step>): Step => ({
  path: '/x',
  uid: 0,
  gid: 0,
  mode: 0o755,
  kind: 'directory',
  ...changes,
})
const user = { uid: 1000, gid: 1000 }

describe('a directory on the way', () => {
  it.each([
    [{}, undefined],
    [{ uid: 1000, gid: 1000, mode: 0o700 }, undefined],
    [{ uid: 1000, gid: 1000, mode: 0o775 }, undefined],
    [{ mode: 0o1777 }, undefined],
    [{ kind: 'link', mode: 0o777 }, undefined],
    [{ mode: 0o777 }, 'can be written by everybody'],
    [{ gid: 50, mode: 0o775 }, 'can be written by the group 50'],
    [{ uid: 1001 }, 'belongs to uid 1001'],
    [{ uid: 1001, kind: 'link', mode: 0o777 }, 'belongs to uid 1001'],
    [{ uid: 1001, mode: 0o1777 }, 'belongs to uid 1001'],
  ] as [Partial<Step>, string | undefined][])('%j: %s', (changes, doubt) => {
    expect(doubtOf(step(changes), user)).toBe(doubt)
  })

  it('that somebody else could swap is named', async () => {
    const error = await thrownBy(() =>
      checkWay([step({}), step({ path: '/home/eve', uid: 7 })], '/home/eve/r', user),
    )
    expect(error).toMatchObject({
      code: 'config',
      message: '/home/eve, on the way to /home/eve/r, belongs to uid 7',
      hint: expect.stringContaining('uid 1000'),
    })
  })
})

describe('the way to a path', () => {
  it('has every link, and ends where nothing is there', () => {
    const top = realpathSync(aDirectory())
    mkdirSync(join(top, 'real/inner'), { recursive: true })
    symlinkSync('real', join(top, 'link'))
    symlinkSync(join(top, 'link'), join(top, 'absolute'))
    const found = walk(join(top, 'absolute/../absolute/inner/no/such'))
    expect(found.real).toBe(join(top, 'real/inner'))
    expect(found.missing).toEqual(['no', 'such'])
    const below = found.steps.map(({ path, kind }) => [path.slice(top.length + 1), kind])
    expect(below.filter(([path]) => path !== '').slice(-4)).toEqual([
      ['absolute', 'link'],
      ['link', 'link'],
      ['real', 'directory'],
      ['real/inner', 'directory'],
    ])
  })

  it('that leads in a ring is refused', async () => {
    const top = aDirectory()
    symlinkSync('b', join(top, 'a'))
    symlinkSync('a', join(top, 'b'))
    expect((await thrownBy(() => walk(join(top, 'a')))).message).toContain('too many symbolic links')
  })

  it('begins at the top of the file system', () => {
    expect(walk('/')).toMatchObject({ real: '/', missing: [], steps: [{ path: '/', kind: 'directory' }] })
  })
})
