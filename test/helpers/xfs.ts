import { chmodSync, chownSync, mkdtempSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { atEnd } from './places.js'
import { ordinaryUser } from './users.js'

/** A new XFS with reflinks that belongs to the ordinary user; it goes when the tests of this file are over. */
export function aDiskWithReflinks(): string {
  const directory = mkdtempSync(join(tmpdir(), 'pgbk-xfs-'))
  const image = `${directory}.img`
  atEnd(() => {
    execaSync('umount', ['--lazy', directory], { reject: false })
    rmdirSync(directory)
    rmSync(image)
  })
  writeFileSync(image, '')
  truncateSync(image, 600 * 2 ** 20)
  execaSync('mkfs.xfs', ['-q', '-m', 'reflink=1', image], { env: { PATH: path } })
  execaSync('mount', ['-o', 'loop', image, directory])
  chmodSync(directory, 0o700)
  chownSync(directory, ordinaryUser.uid, ordinaryUser.gid)
  return directory
}

const path = `${process.env.PATH}:/usr/sbin:/sbin`
