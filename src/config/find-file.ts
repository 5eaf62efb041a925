import { lstatSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { localPath } from '../catalog/source-place.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import type { Progress } from '../progress.js'
import { firstUntrusted, isShared, type Trust, untrustedItself } from '../system/paths/trusted-path.js'
import { notTrusted } from './trusted-file.js'

const fileNames = ['.pgbkrc', '.pgbkrc.yaml', '.pgbkrc.json']

export interface FoundConfigFile {
  file: string
  /** Whether it was found in a place that belongs to no root, and so has to name one. */
  general: boolean
}

/**
 * The configuration file that counts: the one that is named, else the first from the current directory upward, else that of the
 * user or of the system. As with git's safe.directory the way upward ends where somebody else could have put the file.
 * @throws {PgbkError} `config` for one that was found on the way upward and is somebody else's, or a symbolic link.
 */
export function findFile(
  named: string | undefined,
  context: Context,
  trust: Trust,
): FoundConfigFile | undefined {
  const { cwd, env, user, progress } = context
  if (named) return { file: localPath(named, cwd), general: false }
  const above = searchUpward(resolve(cwd), trust, progress)
  if (above !== undefined) return { file: notLinked(above), general: false }
  const ofUser = env.XDG_CONFIG_HOME && isAbsolute(env.XDG_CONFIG_HOME) ? env.XDG_CONFIG_HOME : undefined
  for (const place of [ofUser ?? join(env.HOME || user().home, '.config'), '/etc']) {
    const directory = join(place, 'pgbk')
    const file = firstIn(directory)
    if (file !== undefined && !isIgnored(file, directory, trust, progress)) return { file, general: true }
  }
  return undefined
}

function searchUpward(start: string, trust: Trust, progress: Progress): string | undefined {
  for (let directory = start; ; directory = dirname(directory)) {
    const file = firstIn(directory)
    if (file !== undefined) return isIgnored(file, directory, trust, progress) ? undefined : file
    if (directory === dirname(directory) || faultOf(directory, trust) !== undefined) return undefined
  }
}

/** @throws {PgbkError} `config` for a file that is itself somebody else's: who runs pgbk there may take it for their own. */
function isIgnored(file: string, directory: string, trust: Trust, progress: Progress): boolean {
  const fault = faultOf(directory, trust)
  if (fault === undefined) return false
  const ofFile = untrustedItself(file, trust)
  if (ofFile) throw notTrusted(file, ofFile)
  progress.warn(`${file} is ignored: ${fault}`)
  return true
}

/** Others can put a link to, or a further name of, any file into /tmp: what lies there proves nothing. */
function faultOf(directory: string, trust: Trust): string | undefined {
  const fault = firstUntrusted(directory, trust)
  if (fault) return `${fault.path} ${fault.reason}`
  return isShared(directory) ? `everybody can put files into ${directory}` : undefined
}

/** The root would be where the link is, and not where the file is that somebody wrote for another. */
function notLinked(file: string): string {
  if (!lstatSync(file).isSymbolicLink()) return file
  throw new PgbkError('config', `${file} is a symbolic link`, {
    hint: 'A configuration that is searched must be a file itself. Name the one that is meant with --config, or PGBK_CONFIG.',
  })
}

function firstIn(directory: string): string | undefined {
  return fileNames.map((name) => join(directory, name)).find(isThere)
}

/** A link that leads nowhere is there, too. */
function isThere(path: string): boolean {
  try {
    lstatSync(path)
    return true
  } catch {
    return false
  }
}
