import { lstatSync, readlinkSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { PgbkError } from '../errors.js'

/** A directory, link or file on the way to a path. */
export interface Step {
  path: string
  uid: number
  gid: number
  mode: number
  kind: 'directory' | 'link' | 'other'
}

export interface Walk {
  /** From `/` down, every link among them. */
  steps: Step[]
  /** Where the way ends, without links. */
  real: string
  /** What is not there of the rest of the path. */
  missing: string[]
}

/** More links than the kernel follows (path_resolution(7)). */
const mostLinks = 40

/**
 * Goes to a path component by component and follows no link unseen, so that who can change where it leads is known.
 * @throws {PgbkError} `config` for a ring of links.
 */
export function walk(path: string): Walk {
  const steps = [stepAt('/') as Step]
  let left = componentsOf(resolve(path))
  let real = '/'
  for (let links = 0; left.length > 0; ) {
    const [name = '', ...rest] = left
    if (name === '..') {
      real = dirname(real)
      left = rest
      continue
    }
    const step = stepAt(join(real, name))
    if (!step) break
    steps.push(step)
    left = rest
    if (step.kind !== 'link') real = step.path
    else {
      links += 1
      if (links > mostLinks) throw new PgbkError('config', `${path}: too many symbolic links`)
      const target = readlinkSync(step.path)
      if (isAbsolute(target)) real = '/'
      left = [...componentsOf(target), ...rest]
    }
  }
  return { steps, real, missing: left }
}

/** What is at a path, without following it; undefined where nothing is. */
export function stepAt(path: string): Step | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (!found) return undefined
  const { uid, gid, mode } = found
  const kind = found.isSymbolicLink() ? 'link' : found.isDirectory() ? 'directory' : 'other'
  return { path, uid, gid, mode, kind }
}

function componentsOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.')
}
