import { mkdirSync, realpathSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { checkWay } from '../../src/privileges/trust.js'
import { walk } from '../../src/privileges/walk.js'
import { thrownBy } from '../backup/samples.js'
import { aDirectory } from '../helpers/places.js'
import { ordinaryUser } from '../helpers/users.js'

describe('a directory on the way', () => {
  it('that somebody else could swap is named', async () => {
    const top = aDirectory()
    const { steps } = walk(top)
    const eve = { uid: 4711, gid: 4711, name: 'eve' }
    expect(await thrownBy(() => checkWay(steps, top, eve))).toMatchObject({
      code: 'config',
      message: expect.stringMatching(/, on the way to .*, belongs to another user \(uid \d+\)$/),
      hint: expect.stringContaining('root or to eve'),
    })
    checkWay(steps, top, ordinaryUser)
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
