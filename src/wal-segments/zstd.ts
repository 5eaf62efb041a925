import type { Transform } from 'node:stream'
import zlib from 'node:zlib'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { findInPath } from '../system/paths/search-path.js'
import { shellWord } from '../text/shell-word.js'

/** A command of a shell that unpacks standard input to standard output. */
interface ZstdCommand {
  /** Whose it is: the program's, or that of the Node that runs pgbk. */
  by: 'zstd' | 'node'
  unpack: string
}

/** What unpacks it in this process, from Node 22.15 on. */
export const { createZstdDecompress: zstdOfNode } = zlib as {
  createZstdDecompress?: (options: { chunkSize: number }) => Transform
}

const hint = 'Install it (Debian, RHEL, Homebrew: zstd).'

/** What unpacks zstd on this machine; undefined where nothing does. The program comes first: others know it, too. */
export function zstdCommand({ env, self }: Pick<Context, 'env' | 'self'>): ZstdCommand | undefined {
  if (hasZstdProgram(env)) return { by: 'zstd', unpack: 'zstd -dc' }
  if (!zstdOfNode) return undefined
  const [node = ''] = self
  return { by: 'node', unpack: `${shellWord(node)} -e ${shellWord(nodeScript)}` }
}

/** For a process of its own. */
const nodeScript =
  'const z=require("zlib"),{stdin,stdout}=require("process");require("stream").pipeline(stdin,z.createZstdDecompress(),stdout,e=>{if(e)throw e})'

export const hasZstdProgram = ({ PATH }: Context['env']): boolean => findInPath('zstd', PATH) !== undefined

/** @param what cannot be done: `WAL segment 00... cannot be read`. */
export function noZstd(what: string, cause?: unknown): PgbkError {
  return new PgbkError('programs-missing', `${what}: zstd is not installed`, { cause, hint })
}
