import { chmodSync, chownSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { atEnd } from './places.js'
import { ordinaryUser } from './users.js'

export type ReflinkFileSystem = 'xfs' | 'btrfs'

const make = { xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'], btrfs: ['mkfs.btrfs', '-q'] }

/** A new file system with reflinks that belongs to the ordinary user; it goes as `atEnd` says. */
export function aDiskWithReflinks(type: ReflinkFileSystem = 'xfs', megabytes = 600): string {
  const directory = mkdtempSync(join(tmpdir(), 'pgbk-xfs-'))
  const image = `${directory}.img`
  atEnd(() => {
    execaSync('umount', ['--lazy', directory], { reject: false })
    rmdirSync(directory)
    rmSync(image)
  })
  writeFileSync(image, '')
  truncateSync(image, megabytes * 2 ** 20)
  const [program = '', ...args] = make[type]
  execaSync(program, [...args, image], { env: { PATH: path } })
  execaSync('mount', ['-o', 'loop', image, directory])
  chmodSync(directory, 0o700)
  chownSync(directory, ordinaryUser.uid, ordinaryUser.gid)
  return directory
}

const path = `${process.env.PATH}:/usr/sbin:/sbin`
