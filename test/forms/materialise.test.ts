import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'
import { type LocalBackup, plainSnapshotOf } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import { materialise } from '../../src/forms/materialise.js'
import { aBackup, aContext, anEmptyRoot } from '../catalog/samples.js'

const src = fileURLToPath(new URL('../../src', import.meta.url))

/** The files of these rooms, and of those in them, that have something in their text. */
function filesWith(pattern: RegExp, ...rooms: string[]): string[] {
  return rooms
    .flatMap((room) =>
      readdirSync(join(src, room), { recursive: true }).map((name) => join(room, String(name))),
    )
    .filter((file) => file.endsWith('.ts'))
    .filter((file) => pattern.test(readFileSync(`${src}/${file}`, 'utf8')))
    .sort()
}

it('a plain backup is taken as it lies there, and nothing has to be done at the end', async () => {
  const root = anEmptyRoot()
  aBackup(root, '20261120T030000Z')
  const [backup] = readCatalog(root.root).backups as [LocalBackup]
  const atEnd = () => {
    throw new Error('something is to be undone')
  }
  const there = await materialise(backup, aContext({ atEnd }))
  expect(there).toEqual({ ...backup, snapshot: plainSnapshotOf(backup).snapshot })
})

it('who restores, runs, proves and verifies comes to a snapshot by materialise alone', () => {
  const others = /\b(backupLayout|plainSnapshotOf)\b|join\([^)]*'snapshot'|\/snapshot`/
  expect(filesWith(others, 'recovery', 'restore', 'run', 'verify', 'start-up')).toEqual([])
})

it('a snapshot is materialised where a backup is chosen, checked or packed, and nowhere else', () => {
  expect(filesWith(/\bmaterialise\(/, '.').filter((file) => !file.startsWith('forms/'))).toEqual([
    'doctor/check-working-copy.ts',
    'packing/pack.ts',
    'recovery/choose-backup.ts',
    'upload/packed-form.ts',
    'verify/open-image.ts',
  ])
})
