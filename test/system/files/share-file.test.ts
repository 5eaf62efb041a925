import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { canShare, shareBuffers, shareFile } from '../../../src/system/files/share-file.js'
import { bytePath } from '../../../src/system/paths/byte-path.js'
import { randomNumbers, roundsOf, seed } from '../../helpers/chance.js'
import { needs } from '../../helpers/needs.js'
import { aDirectory } from '../../helpers/places.js'
import { aDiskWithReflinks, type ReflinkFileSystem } from '../../helpers/reflink-disk.js'

const page = 8192

/** Pages of which each is its number, written over and over. */
function pages(count: number, rest = 0): Buffer {
  const bytes = Buffer.alloc(count * page + rest)
  for (let at = 0; at < bytes.length; at += page) bytes.fill(`${at}.`, at, Math.min(at + page, bytes.length))
  return bytes
}

function share(older: string, newer: string): Promise<number> {
  return shareFile(bytePath(older), bytePath(newer), shareBuffers())
}

const fileSystems: ReflinkFileSystem[] = ['xfs', 'btrfs']
needs('root', 'mounts', 'loop devices', 'program mkfs.xfs', 'program mkfs.btrfs').describe.each(fileSystems)(
  'a file on %s that shares the blocks of an older one',
  (type) => {
    let directory: string
    let older: string
    let newer: string
    beforeAll(() => {
      directory = mkdtempSync(join(aDiskWithReflinks(type, 300), 'files-'))
      older = join(directory, 'older')
      newer = join(directory, 'newer')
    })

    async function sharing(before: Buffer, now: Buffer): Promise<number> {
      writeFileSync(older, before)
      writeFileSync(newer, now)
      const shared = await share(older, newer)
      expect(readFileSync(newer).equals(now)).toBe(true)
      expect(readFileSync(older).equals(before)).toBe(true)
      expect(readdirSync(directory).sort()).toEqual(['newer', 'older'])
      return shared
    }

    it('has its own contents, mode and time', async () => {
      const changed = pages(300)
      changed[150 * page + 5] = 7
      writeFileSync(older, pages(300))
      writeFileSync(newer, changed)
      chmodSync(newer, 0o640)
      utimesSync(newer, 1_700_000_000, 1_700_000_001.5)
      expect(await share(older, newer)).toBe(299 * page)
      expect(readFileSync(newer).equals(changed)).toBe(true)
      const { mode, mtimeMs } = statSync(newer)
      expect([mode & 0o777, mtimeMs]).toEqual([0o640, 1_700_000_001_500])
    })

    it('takes no more of the disk than what differs', async () => {
      const changed = pages(1000)
      for (let at = 10; at < 1000; at += 40) changed.writeUInt32LE(0, at * page)
      writeFileSync(older, pages(1000))
      writeFileSync(newer, changed)
      await share(older, newer)
      execaSync('sync', ['-f', directory])
      const { stdout } = execaSync('filefrag', ['-v', newer], {
        env: { PATH: `${process.env.PATH}:/usr/sbin` },
      })
      const own = stdout.split('\n').filter((line) => /^ *\d+:/.test(line) && !line.includes('shared'))
      const blocks = own.map((line) => Number(line.split(':')[3]))
      expect(blocks.reduce((sum, count) => sum + count, 0) * 4096).toBe(25 * page)
    })

    it.each([
      ['the same', pages(20), pages(20), 20 * page],
      ['grown', pages(20), pages(300), 0],
      ['grown a little', pages(200), pages(300), 200 * page],
      ['truncated', pages(300), pages(20), 20 * page],
      ['truncated in a page', pages(300), pages(300).subarray(0, 20 * page + 100), 20 * page + 100],
      ['grown in a page', pages(20, 100), pages(21), 20 * page],
      ['another', pages(20), Buffer.alloc(20 * page, 'x'), 0],
      ['nearly another', pages(20), Buffer.concat([pages(2), Buffer.alloc(18 * page, 'x')]), 0],
      ['small', Buffer.from('small'), Buffer.from('small'), 0],
      ['empty', Buffer.alloc(0), pages(2), 0],
    ])('is %s', async (_, before, now, shared) => {
      expect(await sharing(before, now)).toBe(shared)
    })

    it('stays itself where the older one is a link, or not there', async () => {
      writeFileSync(newer, pages(3))
      const link = join(mkdtempSync(`${directory}-`), 'link')
      execaSync('ln', ['-s', newer, link])
      expect([await share(link, newer), await share(`${link}-none`, newer)]).toEqual([0, 0])
    })

    it(`is the same after any change (seed ${seed})`, async () => {
      for (let round = 0; round < roundsOf(8); round++) {
        const numbers = randomNumbers(40, 2 ** 31, `${type}-${round}`)
        const next = () => numbers.pop() ?? 0
        const before = pages(1 + (next() % 400), next() % page)
        const now = pages(1 + (next() % 400), next() % page)
        for (let count = next() % 12; count > 0; count--) now.writeUInt8(next() % 256, next() % now.length)
        await sharing(before, now)
      }
    })

    it('can be told beforehand', () => {
      expect(canShare(older, directory)).toBe(true)
      expect(canShare(older, aDirectory())).toBe(false)
    })
  },
)

it('a file that cannot share is as it was', async () => {
  const directory = aDirectory()
  const [older, newer] = [join(directory, 'older'), join(directory, 'newer')]
  writeFileSync(older, pages(10))
  writeFileSync(newer, pages(11))
  await expect(share(older, newer)).rejects.toThrow(/ENOTSUP|EOPNOTSUPP|EXDEV|EINVAL|ENOSYS|ENOTTY/)
  expect(readFileSync(newer).equals(pages(11))).toBe(true)
  expect(readdirSync(directory).sort()).toEqual(['newer', 'older'])
})
