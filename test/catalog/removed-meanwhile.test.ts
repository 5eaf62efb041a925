import { rmSync } from 'node:fs'
import { beforeEach, expect, it } from '@jest/globals'
import { type LocalBackup, layoutOf } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import { removeBackup } from '../../src/catalog/remove.js'
import { checkStillThere, unlessRemoved } from '../../src/catalog/removed-meanwhile.js'
import { PgbkError } from '../../src/errors.js'
import { aBackup, aContext, anEmptyRoot, thrownBy } from './samples.js'

const id = '20261120T030000Z'
const removed = { code: 'not-found', message: `backup ${id} was removed by another pgbk meanwhile` }
let backup: LocalBackup
let remove: () => Promise<void>

beforeEach(() => {
  const root = anEmptyRoot()
  aBackup(root, id)
  ;[backup] = readCatalog(root.root).backups as [LocalBackup]
  remove = () => removeBackup(root, backup)
})

it('gives what the work gives, and fails as it fails, while the backup is there', async () => {
  expect(await unlessRemoved(backup, aContext(), () => 'done')).toBe('done')
  const failing = () => unlessRemoved(backup, aContext(), () => Promise.reject(new RangeError('why')))
  expect(await thrownBy(failing)).toMatchObject({ message: 'why' })
})

it('says that the backup was removed instead of what that has led to', async () => {
  const cause = new RangeError('ENOENT')
  const failing = async () => {
    await remove()
    throw cause
  }
  expect(await thrownBy(() => unlessRemoved(backup, aContext(), failing))).toMatchObject({
    ...removed,
    cause,
  })
})

it.each([
  ['one that has only begun', () => rmSync(layoutOf(backup).record)],
  ['a whole one', () => remove()],
])('knows it after %s', async (_what, work) => {
  checkStillThere(backup)
  await work()
  expect(await thrownBy(() => checkStillThere(backup))).toMatchObject(removed)
})

it('is interrupted as anything else', async () => {
  const controller = new AbortController()
  const work = async () => {
    await remove()
    controller.abort(new PgbkError('interrupted', 'interrupted'))
    controller.signal.throwIfAborted()
  }
  const interrupted = aContext({ signal: controller.signal })
  expect(await thrownBy(() => unlessRemoved(backup, interrupted, work))).toMatchObject({
    code: 'interrupted',
  })
})
