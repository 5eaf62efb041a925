import { expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import type { BackupRecord } from '../../src/catalog/record.js'
import { packedShare } from '../../src/packing/packed-share.js'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'

const packed = (bytes: number) => ({
  format: 2 as const,
  packed: { bytes, sha256: 'a'.repeat(64), snapshot_bytes: 1000, uid: 1, gid: 1 },
})

/** Of backups of one day after the other, by the records that they have. */
function shareBy(...records: Partial<BackupRecord>[]) {
  const root = anEmptyRoot()
  for (const [index, changes] of records.entries()) aBackup(root, `2026112${index}T030000Z`, changes)
  return packedShare(readCatalog(root.root).backups)
}

it('what an image takes is told by the newest backup that shows it, or else taken to be half', () => {
  expect(shareBy()).toEqual({ share: 0.5, shownBy: undefined })
  expect(shareBy({}, {})).toEqual({ share: 0.5, shownBy: undefined })
  expect(shareBy(packed(300), packed(200), {})).toEqual({ share: 0.2, shownBy: '20261121T030000Z' })
  expect(shareBy(packed(300), { size_bytes: 1000, pack_saves: 900 })).toMatchObject({
    share: expect.closeTo(0.1),
    shownBy: '20261121T030000Z',
  })
})
