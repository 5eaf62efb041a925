import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { giveReceivewalItsStart, sweepArchive } from '../../src/wal-receiver/archive-files.js'
import { aContext } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { zstdOf } from '../helpers/zstd.js'

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

describe('pg_receivewal, which knows no .zst,', () => {
  const newest = segment.replace(/4$/, '5')
  const content = Buffer.alloc(1 << 20, 'wal ')
  function anArchiveOfZstd(packed = zstdOf(content)): string {
    const archive = aDirectory()
    for (const name of [segment, newest]) writeFileSync(join(archive, `${name}.zst`), packed)
    return archive
  }
  const giveStart = (archive: string) => giveReceivewalItsStart(archive, content.length, aContext())

  it('finds the newest segment unpacked, once', async () => {
    const archive = anArchiveOfZstd()
    for (const _ of ['once', 'and again']) {
      await giveStart(archive)
      expect(readdirSync(archive).sort()).toEqual([`${segment}.zst`, newest, `${newest}.zst`])
    }
    expect(readFileSync(join(archive, newest)).equals(content)).toBe(true)
  })

  it.each([
    ['behind an unfinished one', () => anArchiveOfZstd(), `${segment.replace(/4$/, '6')}.partial`],
    ['where that is damaged', () => anArchiveOfZstd(Buffer.from('damage')), 'README'],
  ])('needs none %s', async (_, make, beside) => {
    const archive = make()
    writeFileSync(join(archive, beside), '')
    await giveStart(archive)
    expect(readdirSync(archive).sort()).toEqual([`${segment}.zst`, `${newest}.zst`, beside].sort())
  })
})
