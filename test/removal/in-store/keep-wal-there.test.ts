import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { Settings } from '../../../src/config/load.js'
import { parseConfig } from '../../../src/config/schema.js'
import { deleteFromStore } from '../../../src/removal/in-store/delete-from-store.js'
import { pruneStore } from '../../../src/removal/in-store/prune-store.js'
import { aContext, thrownBy } from '../../catalog/samples.js'
import { alice } from '../../encryption/samples.js'
import { aDirectory } from '../../helpers/places.js'
import { aStoredBackup } from '../../upload/stored.js'

const [first, second, third] = ['20261001T030000Z', '20261110T030000Z', '20261110T040000Z']
const newest = '20261120T030000Z'
const recipients = [alice.recipient]

/** A store that keeps the newest and the first of three older ones, which have a segment each. */
function aStore(encrypted: string[]) {
  const near = aDirectory()
  const stores = { near: { url: near, retention: { daily: 1, monthly: 12 } } }
  const settings = { ...parseConfig({ stores }).value, root: '/nowhere' } as Settings
  for (const [index, id] of [first, second, third, newest].entries()) {
    const isEncrypted = encrypted.includes(id)
    const started_at = id.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6.000Z')
    const changes = { started_at, finished_at: started_at, kind: 'scheduled' as const }
    const directory = aStoredBackup(near, id, { changes, ...(isEncrypted && { recipients }) })
    writeFileSync(
      join(directory, 'wal', `00000001000000000000000${index + 3}.gz${isEncrypted ? '.age' : ''}`),
      '',
    )
  }
  const task = { settings, context: aContext() }
  return {
    near,
    walOf: (id: string) => readdirSync(join(near, 'data/backup', id, 'wal')).sort(),
    prune: () => pruneStore('near', { yes: true }, task),
    delete: (id: string) => deleteFromStore([id], 'near', { yes: true }, task),
  }
}

const idsOf = (judged: { backup: { id: string } }[]) => judged.map(({ backup }) => backup.id).sort()

describe('the WAL of a backup that goes from a store', () => {
  it('comes to an older one that is wrapped alike', async () => {
    const { prune, walOf } = aStore([])
    expect(idsOf((await prune()).pruned)).toEqual([second, third])
    expect(walOf(first)).toEqual(['3', '4', '5'].map((digit) => `00000001000000000000000${digit}.gz`))
  })

  it.each([
    ['encrypted, and the older one is not', [second, third, newest], 'not encrypted'],
    ['not encrypted, and the older one is', [first], 'which is encrypted'],
  ])(
    'keeps it there where it is %s; that one takes what goes with newer ones',
    async (_which, encrypted, why) => {
      const { prune, walOf } = aStore(encrypted)
      const { kept, pruned } = await prune()
      expect({ kept: idsOf(kept), pruned: idsOf(pruned) }).toEqual({
        kept: [first, second, newest],
        pruned: [third],
      })
      const reasons = kept.find(({ backup }) => backup.id === second)?.reasons
      expect(reasons).toEqual([
        { rule: 'in use', detail: expect.stringMatching(`needed by ${first}.*${why}`) },
      ])
      expect(walOf(first)).toHaveLength(1)
      expect(walOf(second)).toHaveLength(2)
    },
  )

  it('keeps it from delete, until the older one has gone', async () => {
    const { near, ...store } = aStore([second, third, newest])
    const thrown = await thrownBy(() => store.delete(second))
    expect(thrown).toMatchObject({ code: 'failed', hint: expect.stringContaining(`delete ${first} --from`) })
    expect(readdirSync(join(near, 'data/backup'))).toContain(second)
    await store.delete(first)
    expect(idsOf((await store.delete(second)).deleted)).toEqual([second])
  })
})
