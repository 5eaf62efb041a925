import { existsSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { rootLayout } from '../../src/catalog/layout.js'
import { noteUpload } from '../../src/catalog/uploads/upload-note.js'
import { parseConfig } from '../../src/config/schema.js'
import { type ErrorFacts, PgbkError } from '../../src/errors.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { uploadInTurn } from '../../src/upload/upload-in-turn.js'
import { anEmptyRoot } from '../catalog/samples.js'
import { aDirectoryStore, aPackedBackup, context } from './sending.js'

const ids = ['20261120T030000Z', '20261121T030000Z', '20261122T030000Z']

function settingsOf(root: string) {
  const { value, faults } = parseConfig({})
  if (!value) throw new Error(faults.join('\n'))
  return { ...value, root }
}

describe('backups that go to a store in turn', () => {
  it.each<[string, PgbkError['code'], ErrorFacts, string[]]>([
    ['is full', 'disk-full', {}, ids.slice(0, 1)],
    ['does not answer', 'unreachable', {}, ids.slice(0, 1)],
    ['denies what is sent', 'failed', { kind: 'access-denied' }, ids.slice(0, 2)],
    ['takes one of them badly', 'failed', {}, ids],
  ])('are not tried in vain where it %s', async (_why, code, facts, expected) => {
    const { root } = anEmptyRoot()
    const made = ids.map((id) => aPackedBackup(id, rootLayout(root)))
    const { objects, openFor } = aDirectoryStore()
    const tried: string[] = []
    const refusing: ObjectStore = {
      ...objects,
      async send(key) {
        tried.push(key.split('/')[2] ?? '')
        throw new PgbkError(code, 'refused', { facts })
      },
    }
    const wanted = made.map(({ backup }) => ({ backup, stores: [openFor([], refusing)] }))
    const job = { root: rootLayout(root), task: { settings: settingsOf(root), context }, newCluster: true }
    const uploads = await uploadInTurn(wanted, job)
    expect(tried).toEqual(expected)
    expect(uploads.map(({ error }) => error?.code)).toEqual(expected.map(() => code))
  })

  it('leave one image at most that was packed for it, that of the oldest', async () => {
    const layout = anEmptyRoot()
    const made = ids.map((id) => aPackedBackup(id, layout))
    for (const { aside, backup } of made) {
      await noteUpload(aside, backup.id)
      for (const file of [aside.image, aside.record]) writeFileSync(file, 'from an earlier one')
    }
    const { objects, openFor } = aDirectoryStore()
    const send: ObjectStore['send'] = () => Promise.reject(new PgbkError('disk-full', 'no room'))
    const wanted = made.map(({ backup }) => ({ backup, stores: [openFor([], { ...objects, send })] }))
    const task = { settings: settingsOf(layout.root), context }
    await uploadInTurn(wanted, { root: layout, task, newCluster: true })
    expect(made.map(({ aside }) => existsSync(aside.image))).toEqual([true, false, false])
    expect(made.map(({ aside }) => existsSync(aside.directory))).toEqual([true, false, false])
  })
})
