import { existsSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import type { RootLayout } from '../../src/catalog/layout.js'
import { checkDisk, warnOfSharedDisk } from '../../src/create/check-disk.js'
import type { PackedShare } from '../../src/packing/packed-share.js'
import type { ServerFacts } from '../../src/postgres/server/server-facts.js'
import { silentProgress } from '../../src/progress.js'
import { freeBytes } from '../../src/system/files/measure.js'
import { anEmptyRoot } from '../catalog/samples.js'

async function warnings(root: RootLayout, directories: string[]): Promise<number> {
  let count = 0
  await warnOfSharedDisk(root, directories, { progress: { ...silentProgress, warn: () => count++ } })
  return count
}

it('a shared disk is told once, and again when what shares it changes', async () => {
  const root = anEmptyRoot()
  expect(await warnings(root, ['/var/lib/pg'])).toBe(1)
  expect(await warnings(root, ['/var/lib/pg'])).toBe(0)
  expect(await warnings(root, ['/var/lib/pg', '/mnt/fast'])).toBe(1)
  expect(await warnings(root, [])).toBe(0)
  expect(existsSync(root.sharedDisk)).toBe(false)
  expect(await warnings(root, ['/var/lib/pg'])).toBe(1)
  expect(await warnings({ ...root, root: '/elsewhere' }, ['/var/lib/pg'])).toBe(1)
})

describe('before an image is made', () => {
  /** What is said where the server has so many times of what is free, and the image so much of that. */
  async function said(times: number, packed: PackedShare | undefined, streams = true): Promise<string[]> {
    const root = anEmptyRoot()
    const warned: string[] = []
    const size_bytes = Math.round(times * (await freeBytes(root.root)))
    const server = { host: 'db1', role: 'me', wal_segment_size: 1, databases: [{ name: 'app', size_bytes }] }
    const progress = { ...silentProgress, warn: (text: string) => void warned.push(text) }
    await checkDisk(root, server as unknown as ServerFacts, progress, { streams, packed })
    return warned
  }
  const shownBy = '20261120T030000Z'

  it('it is warned where it will probably not fit, with what is known of that', async () => {
    const [warning] = await said(3, { share: 0.5, shownBy })
    expect(warning).toMatch(
      /^the image may not fit: it needs about \S+ .B \(50 % of what the server has, as that of 20261120T030000Z has\), and \S+ .B are free in \//,
    )
    const [careful] = await said(3, { share: 0.5, shownBy: undefined })
    expect(careful).toContain('(if it takes 50 % of what the server has), and ')
  })

  it('nothing is said where it probably fits, or none is made', async () => {
    expect(await said(3, { share: 0.2, shownBy })).toEqual([])
    expect(await said(3, undefined)).toEqual([])
  })

  it('the copy that is packed then has to lie beside it', async () => {
    const [warning] = await said(0.9, { share: 0.3, shownBy }, false)
    expect(warning).toMatch(/, as that of \S+ has\) beside the copy of \S+ .B, and /)
    expect(await said(0.7, { share: 0.2, shownBy }, false)).toEqual([])
  })

  it('what no image has room for is refused', async () => {
    await expect(said(60, { share: 0.01, shownBy })).rejects.toMatchObject({ code: 'disk-full' })
  })
})
