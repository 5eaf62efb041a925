import { expect, it } from '@jest/globals'
import { directoryStore } from '../../../src/place/store/directory-store.js'
import { putSeen } from '../../../src/place/store/put-seen.js'
import { aContext, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const key = 'data/backup/20261120T030000Z/hold.json'
const bytes = Buffer.from('{}')

it('is content where the store has what was put', async () => {
  const store = directoryStore(aDirectory(), aContext())
  await putSeen(store, key, bytes)
  expect(await store.stat(key)).toMatchObject({ bytes: 2 })
})

it.each([
  ['keeps nothing', undefined, 'is not there'],
  ['keeps another text', '[]', 'another text'],
  ['keeps more', '{} and more', 'another text'],
])('fails where the store says that it has, and %s', async (_what, kept, message) => {
  const store = directoryStore(aDirectory(), aContext())
  const lying = { ...store, put: async () => kept === undefined || store.put(key, Buffer.from(kept)) }
  expect(await thrownBy(() => putSeen(lying, key, bytes))).toMatchObject({
    code: 'failed',
    message: expect.stringContaining(message),
  })
})
