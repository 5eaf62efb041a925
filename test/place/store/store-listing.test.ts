import { describe, expect, it } from '@jest/globals'
import { directoryStore } from '../../../src/place/store/directory-store.js'
import { keysOf } from '../../../src/place/store/keys.js'
import { listStored } from '../../../src/place/store/store-listing.js'
import { aContext, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const id = '20261120T030000Z'

describe('what a backup has in a store', () => {
  it.each(['wal/000000010000000000000001', 'wal/'])(
    'is given up where the list repeats itself for ever: %s',
    async (name) => {
      const store = {
        ...directoryStore(aDirectory(), aContext()),
        async *list() {
          for (;;) yield { key: keysOf.backup(id).top + name, bytes: 1, changedAt: new Date() }
        },
      }
      expect(await thrownBy(() => listStored(store, id, 100))).toMatchObject({
        code: 'damaged',
        message: expect.stringContaining('more than 100 files'),
      })
    },
  )
})
