import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { type LocalBackup, layoutOf } from '../../src/catalog/backup.js'
import { keepReplacedWal } from '../../src/removal/keep-replaced-wal.js'
import { aContext } from '../catalog/samples.js'
import { joining, WalHistory } from './wal-histories.js'

/** A backup with five segments, and a download of it with the first of them. */
function aDownload(segments: number) {
  const history = new WalHistory()
  history.create()
  history.write(4)
  const [old] = history.backups() as [LocalBackup]
  const names = readdirSync(layoutOf(old).wal).sort()
  return { history, old, names, download: history.download(old, segments) }
}

describe('before a download takes the place of a backup', () => {
  it('it gets the WAL that only that one has', async () => {
    const { history, names, download } = aDownload(2)
    await keepReplacedWal(history.root, download, { joining, grows: false }, aContext())
    expect(readdirSync(layoutOf(download).wal).filter((name) => !name.startsWith('.'))).toEqual(names)
  })

  it('WAL behind a gap, which nothing else has, is not thrown away', async () => {
    const { history, old, names, download } = aDownload(2)
    rmSync(join(layoutOf(old).wal, names[2] ?? ''))
    await expect(
      keepReplacedWal(history.root, download, { joining, grows: false }, aContext()),
    ).rejects.toMatchObject({
      code: 'failed',
      message: expect.stringContaining(`${names[3]} to ${names[4]}`),
    })
    // Of an archive that grows, a later listing may have what this one has not.
    await keepReplacedWal(history.root, download, { joining, grows: true }, aContext())
  })
})
