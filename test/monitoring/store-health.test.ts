import { describe, expect, it } from '@jest/globals'
import { writeWalSent } from '../../src/catalog/uploads/wal-sent.js'
import { parseConfig } from '../../src/config/schema.js'
import { storesHealth, storeWalProblems } from '../../src/monitoring/store-health.js'
import { anEmptyRoot } from '../catalog/samples.js'

const now = new Date('2026-11-20T03:00:00Z')

function problemsOf(at: string | null, error: string | null, receiver: 'alive' | 'lost') {
  const root = anEmptyRoot()
  writeWalSent(root, 'near', { at, error, waits: true })
  const { value } = parseConfig({
    stores: { near: { url: '/near', upload: 'always', partial_every: '5 minutes' } },
  })
  const stores = storesHealth({ stores: value?.stores ?? {} }, root, new Set(), now)
  return storeWalProblems(stores, receiver).map(({ text }) => text)
}

describe('the WAL of a store', () => {
  it('is a problem where it cannot be sent', () => {
    expect(problemsOf(null, 'it is away', 'lost')).toEqual([
      'no WAL has come into the store near: it is away',
    ])
  })

  it('is one where a receiver is at work and none comes, though nothing has failed', () => {
    const late = [
      'no WAL since 2026-11-20T02:40:00.000Z has come into the store near: its sender is behind, or hangs',
    ]
    expect(problemsOf('2026-11-20T02:40:00.000Z', null, 'alive')).toEqual(late)
    expect(problemsOf('2026-11-20T02:40:00.000Z', null, 'lost')).toEqual([])
    expect(problemsOf('2026-11-20T02:50:00.000Z', null, 'alive')).toEqual([])
  })
})
