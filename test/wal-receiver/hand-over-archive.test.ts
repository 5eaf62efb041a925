import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { fillFrom, handOverArchive } from '../../src/wal-receiver/hand-over-archive.js'
import { twoArchives as archives, mb, segmentsIn } from '../wal-archive/archives.js'

/** The same, with the hand-over between them. */
function twoArchives(inOlder: string[], inNewer: string[]) {
  const { from, to, backups } = archives(inOlder, inNewer)
  return { from, to, backups, run: () => handOverArchive(...backups) }
}

describe('a hand-over', () => {
  it('copies what follows the snapshot of the newer backup, in every form, and nothing older', async () => {
    const { to, run } = twoArchives(['4', '5', '6.gz', '7', '8.partial'], ['5'])
    const { gap, chain } = await run()
    expect(gap).toBeUndefined()
    expect(segmentsIn(to)).toEqual(['5', '6.gz', '7', '8.partial'])
    expect(chain.map(({ form }) => form)).toEqual(['raw', 'gzip', 'raw', 'partial'])
  })

  it('copies, and never links', async () => {
    const { to, run } = twoArchives(['4', '5', '6'], ['5'])
    await run()
    expect(statSync(join(to, '000000010000000000000006')).nlink).toBe(1)
  })

  it('leaves the older archive as it is', async () => {
    const { from, run } = twoArchives(['4', '5', '6.gz', '7.partial'], ['5'])
    const before = segmentsIn(from)
    await run()
    expect(segmentsIn(from)).toEqual(before)
  })

  it('puts the finished segment in place of the unfinished one that came from a standby', async () => {
    const { to, run } = twoArchives(['4', '5', '6.partial'], ['5.partial'])
    await run()
    expect(segmentsIn(to)).toEqual(['5', '6.partial'])
  })

  it('replaces that by the unfinished one which has more', async () => {
    const { to, run } = twoArchives(['4', '5.partial'], ['5.partial'])
    writeFileSync(join(to, '000000010000000000000005.partial'), Buffer.alloc(mb, 'o'))
    await run()
    expect(readFileSync(join(to, '000000010000000000000005.partial'), 'utf8').slice(0, 9)).toBe('5.partial')
  })

  it('stops at a hole, and goes on over one that is older than the newer backup', async () => {
    const hole = twoArchives(['4', '5', '6', '8'], ['5'])
    await hole.run()
    expect(segmentsIn(hole.to)).toEqual(['5', '6'])
    const old = twoArchives(['5', '6', '7.partial'], ['5'])
    await old.run()
    expect(segmentsIn(old.to)).toEqual(['5', '6', '7.partial'])
  })

  it('fills a hole at the end of an archive, and tells whether it could', async () => {
    const { to, backups } = twoArchives(['4', '5', '6', '7.partial'], ['5'])
    expect(await fillFrom(...backups)).toBe(true)
    expect(segmentsIn(to)).toEqual(['5', '6', '7.partial'])
    expect(await fillFrom(...backups)).toBe(false)
  })

  it('can be done again, and clears away the drafts of one that was killed', async () => {
    const { to, run } = twoArchives(['4', '5', '6', '7.partial'], ['5', '6'])
    writeFileSync(join(to, '.pgbk-000000010000000000000007.partial.tmp'), 'half')
    await run()
    await run()
    expect(segmentsIn(to)).toEqual(['5', '6', '7.partial'])
  })

  it('takes new histories of timelines along', async () => {
    const { to, run } = twoArchives(['4', '5', '00000002.history'], ['5'])
    await run().catch(() => {})
    expect(segmentsIn(to)).toContain('00000002.history')
  })

  it('copies nothing into an archive without its first segment', async () => {
    const { to, run } = twoArchives(['4', '5', '6'], [])
    expect((await run()).gap).toMatchObject({ missing: '000000010000000000000005' })
    expect(segmentsIn(to)).toEqual([])
  })
})
