import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { backupLayout } from '../../src/catalog/layout.js'
import { publishDownload } from '../../src/download/publish-download.js'
import { PgbkError } from '../../src/errors.js'
import { aBackup, anEmptyRoot, thrownBy } from '../catalog/samples.js'

const id = '20261120T030000Z'

it('a download is not published when the lock is lost, or WAL of the old one cannot be kept, and what it would replace stays', async () => {
  const root = anEmptyRoot()
  const old = aBackup(root, id, { label: 'old' })
  const download = backupLayout(root.download(id))
  mkdirSync(download.directory)
  const lost = { check: () => Promise.reject(new PgbkError('lock-lost', 'lost')) }
  const publish = (lock: { check(): Promise<void> }, last?: () => Promise<void>) =>
    publishDownload(root, { id, layout: download, record: Buffer.from('new') }, lock, last)
  expect(await thrownBy(() => publish(lost))).toMatchObject({ code: 'lock-lost' })
  expect(readFileSync(old.record, 'utf8')).toContain('old')
  expect(existsSync(download.directory)).toBe(true)
  const fails = async () => {
    expect(existsSync(old.record)).toBe(false)
    throw new PgbkError('failed', 'still received into')
  }
  const lock = { check: async () => {} }
  expect(await thrownBy(() => publish(lock, fails))).toMatchObject({ code: 'failed' })
  expect(readFileSync(old.record, 'utf8')).toContain('old')
  await publish(lock)
  expect([readFileSync(old.record, 'utf8'), existsSync(download.directory)]).toEqual(['new', false])
})
