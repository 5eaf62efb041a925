import { lstatSync } from 'node:fs'

/** A directory, link or file. */
export interface Step {
  path: string
  uid: number
  gid: number
  mode: number
  kind: 'directory' | 'link' | 'other'
}

/** What is at a path, without following it; undefined where nothing is. */
export function stepAt(path: string): Step | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found) return undefined
  const { uid, gid, mode } = found
  const kind = found.isSymbolicLink() ? 'link' : found.isDirectory() ? 'directory' : 'other'
  return { path, uid, gid, mode, kind }
}
