import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import type { Transform } from 'node:stream'
import zlib from 'node:zlib'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { searchPath } from '../system/paths/search-path.js'
import { shellWord } from '../text/shell-word.js'

/** Commands of a shell that read standard input and write standard output. */
export interface ZstdCommands {
  /** Whose they are: of the program, or of the Node that runs pgbk. */
  by: 'zstd' | 'node'
  pack(level: number): string
  unpack: string
}

/** What unpacks it in this process, from Node 22.15 on. */
export const { createZstdDecompress: zstdOfNode } = zlib as {
  createZstdDecompress?: (options: { chunkSize: number }) => Transform
}

const hint = 'Install it (Debian, RHEL, Homebrew: zstd).'

/** What packs and unpacks zstd on this machine; undefined where nothing does. The program comes first: others know it, too. */
export function zstdCommands({ env, self }: Pick<Context, 'env' | 'self'>): ZstdCommands | undefined {
  if (hasZstdProgram(env)) return { by: 'zstd', pack: (level) => `zstd -q -c -${level}`, unpack: 'zstd -dc' }
  if (!zstdOfNode) return undefined
  const [node = ''] = self
  const script = (transform: string) => shellWord(nodeScript.replace('TRANSFORM', transform))
  const unpack = `${shellWord(node)} -e ${script('z.createZstdDecompress()')}`
  return { by: 'node', pack: (level) => `${shellWord(node)} -e ${script(packer(level))}`, unpack }
}

/** The checksum is what the program writes too. */
const packer = (level: number) =>
  `z.createZstdCompress({params:{[z.constants.ZSTD_c_compressionLevel]:${level},[z.constants.ZSTD_c_checksumFlag]:1}})`

/** For a process of its own. */
const nodeScript =
  'const z=require("zlib"),{stdin,stdout}=require("process");require("stream").pipeline(stdin,TRANSFORM,stdout,e=>{if(e)throw e})'

/** Whether the program is on PATH. */
export function hasZstdProgram({ PATH }: Context['env']): boolean {
  return searchPath(PATH).some((directory) => {
    try {
      accessSync(join(directory, 'zstd'), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** @param what cannot be done: `WAL segment 00... cannot be read`. */
export function noZstd(what: string, cause?: unknown): PgbkError {
  return new PgbkError('programs-missing', `${what}: zstd is not installed`, { cause, hint })
}
