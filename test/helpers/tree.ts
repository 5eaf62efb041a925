import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** Every file's bytes, mode, owner and times below a directory, as one text that can be compared. */
export function fingerprint(directory: string): string {
  return readdirSync(directory, { recursive: true })
    .map(String)
    .sort()
    .map((name) => `${name} ${describe(join(directory, name))}`)
    .join('\n')
}

function describe(path: string): string {
  const { mode, uid, gid, size, mtimeMs, ctimeMs } = lstatSync(path)
  const type = mode & 0o170000
  const content = type === 0o100000 ? createHash('sha1').update(readFileSync(path)).digest('hex') : ''
  const target = type === 0o120000 ? readlinkSync(path) : ''
  return [mode, uid, gid, type === 0o040000 ? '' : size, mtimeMs, ctimeMs, content, target].join(' ')
}
