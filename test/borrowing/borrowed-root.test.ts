import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { makeBorrowedRoot, sweepBorrowed } from '../../src/borrowing/borrowed-root.js'
import { aContext } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

const gone = { pgbk_pid: 2 ** 22 + 1, pgbk_start_time: null, pid_space: null }

it('what killed processes have borrowed goes, marked or not yet, and what is in use stays', async () => {
  const cache = aDirectory('pgbk-cache-')
  const context = aContext({ env: { XDG_CACHE_HOME: cache } })
  const { layout } = await makeBorrowedRoot(context)
  const place = join(cache, 'pgbk/from')
  for (const name of ['1000000001', `.1000000002.${gone.pgbk_pid}.new`, `.1000000003.${process.pid}.new`]) {
    mkdirSync(join(place, name))
    writeFileSync(join(place, name, 'wal'), 'x')
  }
  writeFileSync(join(place, '1000000001/.pgbk-borrowed.json'), JSON.stringify(gone))
  await sweepBorrowed(context)
  expect(readdirSync(place).sort()).toEqual([
    `.1000000003.${process.pid}.new`,
    layout.root.slice(place.length + 1),
  ])
})
