import { existsSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import type { RootLayout } from '../../src/catalog/layout.js'
import { warnOfSharedDisk } from '../../src/create/check-disk.js'
import { silentProgress } from '../../src/progress.js'
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
