import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { systemCode } from '../../../src/errors.js'
import {
  emptyMarked,
  markDirectory,
  removeMarked,
  unmarkDirectory,
} from '../../../src/system/files/marked-directory.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

/** A marked directory with files in it. */
async function aMarked(): Promise<{ directory: string; marker: string }> {
  const directory = join(aDirectory(), 'work')
  mkdirSync(join(directory, 'inner'), { recursive: true })
  for (const name of ['file', 'inner/file']) writeFileSync(join(directory, name), '')
  const marker = join(directory, '.pgbk-work.json')
  await markDirectory(marker, { made_by: 'create' })
  return { directory, marker }
}

it('a marker says whose a directory is, and goes when it is finished', async () => {
  const { directory, marker } = await aMarked()
  expect(readFileSync(marker, 'utf8')).toBe('{"made_by":"create"}\n')
  await unmarkDirectory(marker)
  expect(readdirSync(directory)).toEqual(['file', 'inner'])
})

it('a directory whose marker another process has taken away is not finished', async () => {
  const { marker } = await aMarked()
  await unmarkDirectory(marker)
  expect(systemCode(await thrownBy(() => unmarkDirectory(marker)))).toBe('ENOENT')
})

it('what is emptied keeps its marker, so that a removal can be taken up again', async () => {
  const { directory, marker } = await aMarked()
  await emptyMarked(marker)
  expect(readdirSync(directory)).toEqual(['.pgbk-work.json'])
})

it('several may remove a directory at the same time, and it may have gone', async () => {
  const { directory, marker } = await aMarked()
  await Promise.all([1, 2, 3].map(() => removeMarked(marker)))
  await removeMarked(marker)
  expect(existsSync(directory)).toBe(false)
})

it('removes what comes in meanwhile', async () => {
  const { directory, marker } = await aMarked()
  const removal = removeMarked(marker)
  writeFileSync(join(directory, 'late'), '')
  await removal
  expect(existsSync(directory)).toBe(false)
})
