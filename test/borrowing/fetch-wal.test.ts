import { statfsSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { makeBorrowedRoot } from '../../src/borrowing/borrowed-root.js'
import { fetchRecordAndWal } from '../../src/borrowing/fetch-wal.js'
import type { StoredBackup } from '../../src/catalog/backup.js'
import type { Place } from '../../src/place/contract/place.js'
import type { BytePath } from '../../src/system/paths/byte-path.js'
import { aContext, aRecord, thrownBy } from '../catalog/samples.js'
import { memoryPlace } from '../helpers/memory-place.js'
import { aDirectory } from '../helpers/places.js'

async function aWorld() {
  const cache = aDirectory('pgbk-cache-')
  const context = aContext({ env: { XDG_CACHE_HOME: cache } })
  const inner = memoryPlace()
  const staged = await inner.stage(new Date('2026-11-20T03:00:00Z'), {})
  const name = 'wal/000000010000000000000003.gz' as BytePath
  staged.files.set(name, Buffer.from('x'))
  await inner.publish(staged, JSON.stringify(aRecord({ id: staged.id })), async () => {})
  const [backup] = (await inner.list()).backups
  const root = await makeBorrowedRoot(context)
  const fetchFrom = (place: Place) =>
    fetchRecordAndWal(place, backup as StoredBackup, root, { withWal: true }, context)
  return { cache, inner, name, fetchFrom }
}

it('WAL that has no room is not fetched, where the place tells how much that is', async () => {
  const { cache, inner, name, fetchFrom } = await aWorld()
  const { bavail, bsize } = statfsSync(cache)
  const bytes = new Map([[name, 2 * bavail * bsize + 2 ** 40]])
  let isAsked = false
  const transfer = async () => {
    isAsked = true
    return ''
  }
  const files = async (of: StoredBackup) => ({ ...(await inner.files(of)), bytes })
  expect(await thrownBy(() => fetchFrom({ ...inner, files, transfer }))).toMatchObject({
    code: 'disk-full',
    hint: expect.stringContaining('XDG_CACHE_HOME'),
  })
  expect(isAsked).toBe(false)
  expect(await fetchFrom(inner)).toBe(1)
})

it('a disk that is full while WAL comes is told with what to do', async () => {
  const { inner, fetchFrom } = await aWorld()
  const transfer = async () => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  }
  expect(await thrownBy(() => fetchFrom({ ...inner, transfer }))).toMatchObject({
    code: 'disk-full',
    hint: expect.stringContaining('XDG_CACHE_HOME'),
  })
})
