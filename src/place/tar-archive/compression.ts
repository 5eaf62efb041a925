import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { runProgram } from '../../system/program/run-program.js'
import { startFilter } from '../../system/program/start-program.js'

const compressions = ['none', 'gzip', 'zstd'] as const
export type Compression = (typeof compressions)[number]

/** @throws {PgbkError} `usage` for a name that does not say how it is compressed. */
export function compressionOf(file: string): Compression {
  if (/\.tar$/i.test(file)) return 'none'
  if (/\.(tar\.gz|tgz)$/i.test(file)) return 'gzip'
  if (/\.(tar\.zst|tzst)$/i.test(file)) return 'zstd'
  throw new PgbkError(
    'usage',
    `the name ${JSON.stringify(file)} does not tell what kind of archive is wanted`,
    {
      hint: 'It ends in .tar, .tar.gz or .tar.zst; - is standard output, with --compress.',
    },
  )
}

/** Writes a stream, compressed, and waits until all of it is taken. */
export type Compress = (tar: AsyncIterable<Buffer>, sink: Writable) => Promise<void>

/** Node's gzip is twice as fast as the program, and has no zstd before Node 22.15. */
export async function openCompression(kind: Compression, { env, signal }: Context): Promise<Compress> {
  if (kind === 'none') return (tar, sink) => pipeline(tar, sink, { signal })
  if (kind === 'gzip')
    return (tar, sink) => pipeline(tar, createGzip({ chunkSize: 256 * 1024 }), sink, { signal })
  const options = { env, signal }
  const zstd = await startFilter('zstd', ['-q', '-1', '-T0', '-c'], options)
  return async (tar, sink) => {
    const ends = await Promise.allSettled([
      pipeline(tar, zstd.input, { signal }),
      pipeline(zstd.output, sink, { signal }),
      zstd.succeeded(),
    ])
    // Where zstd died, its input only broke: its own words, or those of the disk, come first.
    const failed = [ends[1], ends[2], ends[0]].find((end) => end.status === 'rejected')
    if (failed) throw failed.reason
  }
}

/** @throws {PgbkError} `programs-missing` where zstd is not installed. */
export async function requireZstd({ env, signal }: Context): Promise<void> {
  try {
    await runProgram('zstd', ['--version'], { env, signal })
  } catch (cause) {
    if (!(cause instanceof PgbkError) || cause.code !== 'programs-missing') throw cause
    throw new PgbkError('programs-missing', 'zstd is not installed', {
      cause,
      hint: 'Install it (Debian, RHEL: zstd), or choose .tar.gz.',
    })
  }
}
