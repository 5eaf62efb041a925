import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { trimWal } from '../../src/create/trim-wal.js'
import { aDirectory } from '../helpers/places.js'

const size = 1 << 20
const [own, next] = ['000000010000000000000002', '000000010000000000000003']

it('the WAL of a snapshot ends where the backup ends, and nothing before that changes', async () => {
  const directory = aDirectory()
  mkdirSync(join(directory, 'archive_status'))
  for (const name of [own, next]) writeFileSync(join(directory, name), Buffer.alloc(size, 7))
  writeFileSync(join(directory, 'archive_status', `${next}.done`), '')
  const range = { timeline: 1, startLsn: '0/200028', endLsn: '0/212348' }
  expect(await trimWal(directory, range, size, [next])).toBe(true)
  const bytes = readFileSync(join(directory, own))
  expect(bytes.subarray(0, 0x12348).equals(Buffer.alloc(0x12348, 7))).toBe(true)
  expect(bytes.subarray(0x12348).every((byte) => byte === 0)).toBe(true)
  expect(bytes).toHaveLength(size)
  expect(existsSync(join(directory, next))).toBe(false)
  expect(existsSync(join(directory, 'archive_status', `${next}.done`))).toBe(false)
  expect(await trimWal(directory, range, size, [])).toBe(false)
})
