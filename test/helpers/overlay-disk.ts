import { chmodSync, chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { aDirectory, atEnd } from './places.js'
import { ordinaryUser } from './users.js'

/** A directory on an overlay file system, as in a container, that belongs to the ordinary user. */
export function anOverlay(): string {
  const directory = aDirectory('pgbk-overlay-')
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) =>
    join(directory, name),
  ) as [string, string, string, string]
  for (const path of [lower, upper, work, merged]) mkdirSync(path)
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`
  execaSync('mount', ['-t', 'overlay', 'overlay', '-o', options, merged])
  atEnd(() => void execaSync('umount', ['--lazy', merged]))
  chmodSync(merged, 0o700)
  chownSync(merged, ordinaryUser.uid, ordinaryUser.gid)
  return merged
}
