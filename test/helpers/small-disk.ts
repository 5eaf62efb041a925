import { chownSync, mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { atEnd } from './places.js'
import { ordinaryUser } from './users.js'

const mounted: string[] = []

atEnd(() => {
  for (const directory of mounted.splice(0)) {
    execaSync('umount', ['--lazy', directory])
    rmdirSync(directory)
  }
})

/**
 * A new, empty file system of so many megabytes that belongs to the ordinary user. With `files` it has no room for
 * more of them (ENOSPC), which free space does not tell: it fills up at the same file each time.
 */
export function aSmallDisk(megabytes: number, { files = 0 } = {}): string {
  const directory = mkdtempSync(join(tmpdir(), 'pgbk-disk-'))
  const options = `size=${megabytes}m,nr_inodes=${files},mode=0700`
  const { exitCode, stderr } = execaSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], {
    reject: false,
  })
  if (exitCode !== 0) {
    rmdirSync(directory)
    throw new Error(`these tests mount a small tmpfs, so run them as root where that is allowed: ${stderr}`)
  }
  mounted.push(directory)
  chownSync(directory, ordinaryUser.uid, ordinaryUser.gid)
  return directory
}

export function makeReadOnly(disk: string): void {
  execaSync('mount', ['-o', 'remount,ro', disk])
}
