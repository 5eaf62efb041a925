import { describe, expect, it } from '@jest/globals'
import { checkItself, checkWay } from '../../src/privileges/trust.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { ordinaryUser } from '../helpers/users.js'

describe('a directory on the way', () => {
  it('that somebody else could swap is named', async () => {
    const top = aDirectory()
    const eve = { uid: 4711, gid: 4711, name: 'eve' }
    expect(await thrownBy(() => checkWay(`${top}/below`, eve))).toMatchObject({
      code: 'config',
      message: expect.stringMatching(/, on the way to .*, belongs to another user \(uid \d+\)$/),
      hint: expect.stringContaining('root or to eve'),
    })
    checkWay(`${top}/below`, ordinaryUser)
  })

  it('has to be closed to others where only root is to be trusted', async () => {
    const top = aDirectory()
    expect(await thrownBy(() => checkItself(top, top))).toMatchObject({
      message: `${top} belongs to another user (uid ${ordinaryUser.uid})`,
      hint: expect.stringContaining('must belong to root, and'),
    })
    checkItself('/', '/x')
  })
})
