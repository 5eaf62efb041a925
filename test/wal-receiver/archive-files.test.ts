import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { sweepArchive } from '../../src/wal-receiver/archive-files.js'
import { aDirectory } from '../helpers/places.js'

const segment = '000000010000000000000004'

function anArchive(files: Record<string, number>): string {
  const archive = aDirectory()
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(archive, name), Buffer.alloc(bytes))
  return archive
}

it('sweeping an archive removes drafts, and an unfinished segment that has not its size yet', async () => {
  const kept = { [segment]: 5, '000000010000000000000005.partial': 16, '.pgbk-gap': 25 }
  const swept = { [`.pgbk-${segment}.gz.tmp`]: 3, '000000010000000000000006.partial': 15 }
  const archive = anArchive({ ...kept, ...swept })
  await sweepArchive(archive, 16)
  expect(readdirSync(archive).sort()).toEqual(Object.keys(kept).sort())
})

it('drafts of others may go while it is swept', async () => {
  const names = Array.from({ length: 50 }, (_, index) => [`.pgbk-window.json.${index}.tmp`, 1])
  const archive = anArchive(Object.fromEntries(names))
  await Promise.all([sweepArchive(archive, 16), sweepArchive(archive, 16), sweepArchive(archive, 16)])
  expect(readdirSync(archive)).toEqual([])
})
