import { describe, expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { promisedBy } from '../../src/retention/promised-wal.js'
import type { RetentionPolicy } from '../../src/retention/retention.js'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'

const days = [17, 18, 19, 20]
const now = new Date('2026-11-20T12:00:00Z')

/** The days of the backups, made at 03:00, that have to reach what they reach. */
function promised(policy: RetentionPolicy): number[] {
  const root = anEmptyRoot()
  for (const day of days)
    aBackup(root, `202611${day}T030000Z`, { finished_at: `2026-11-${day}T03:10:00.000Z` })
  return promisedBy(policy, readCatalog(root.root).backups, now).map(({ id }) => Number(id.slice(6, 8)))
}

describe('when backups go, WAL is promised to', () => {
  it.each<[string, RetentionPolicy, number[]]>([
    ['all without a span', { daily: 7 }, [20, 19, 18, 17]],
    ['the newest before the span, and all after it', { wal: '1 day' }, [20, 19]],
    ['the same of a window', { window: '2 days' }, [20, 19, 18]],
    ['those of the longer of both', { window: '2 days', wal: '1 hour' }, [20, 19, 18]],
    ['the newest alone where the span begins after it', { wal: '1 hour' }, [20]],
    ['all where none is before the span', { wal: '14 days' }, [20, 19, 18, 17]],
  ])('%s', (_, policy, expected) => {
    expect(promised(policy)).toEqual(expected)
  })
})
