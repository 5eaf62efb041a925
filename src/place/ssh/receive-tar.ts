import type { Readable } from 'node:stream'
import { Parser, type ReadEntry } from 'tar'
import { PgbkError } from '../../errors.js'
import type { BytePath } from '../../system/paths/byte-path.js'
import type { FileWriter, IncomingFile } from '../contract/file-writer.js'
import { AskedNames } from './asked-names.js'

/** More than stands between the files of a tar, and behind the last: headers of 1 MB for a long name, and the padding of its end. */
const mostBetween = 4 << 20

/**
 * Hands the files of a tar to a writer of files. Only what was asked for is taken, and only regular files: no name that a hostile
 * source makes up, and no link, ever reaches the disk. What comes as a hard link is left out; asked for alone it will be a file.
 * @throws {PgbkError} `damaged` for what is not a tar, is cut off or without an end, or was not asked for, or comes twice; a system error
 * when writing fails.
 */
export async function receiveTar(
  tar: Readable,
  wanted: readonly BytePath[],
  writer: FileWriter,
  source: string,
): Promise<void> {
  const asked = new AskedNames(wanted)
  let fault: unknown
  let isEmpty = true
  let isOver = false
  /** Bytes that were no file's, since the last one began. */
  let between = 0
  const taken = new Set<BytePath>()
  let current: IncomingFile | undefined
  /** What goes wrong inside the parser's events is thrown outside of them. */
  const guarded = (work: () => void) => {
    if (fault !== undefined) return
    try {
      work()
    } catch (error) {
      fault = error
    }
  }
  const parser = new Parser({
    onReadEntry: (entry) => {
      guarded(() => take(entry))
      entry.resume()
    },
    onwarn: (_code, message) => {
      if (isEmpty) return // a tar of nothing, when none of the files could be read: that is told by what has not come
      fault ??= new PgbkError('damaged', `${source} sent a broken tar: ${message}`)
    },
  })
  parser.on('eof', () => {
    isOver = true
  })
  function take(entry: ReadEntry): void {
    const name = asked.take(entry.path.replace(/^\.\//, ''))
    if (name === undefined) throw notWanted(source, entry.path)
    if (taken.has(name)) throw new PgbkError('damaged', `${source} sent ${JSON.stringify(entry.path)} twice`)
    taken.add(name)
    between = entry.type === 'Link' ? 0 : -entry.size
    if (entry.type === 'Link') return
    if (!isFile(entry)) throw notWanted(source, `${entry.path} as a ${entry.type}`)
    const incoming = writer.begin(name, changedAt(entry))
    current = incoming
    let missing = entry.size
    entry.on('data', (bytes) =>
      guarded(() => {
        incoming.write(bytes)
        missing -= bytes.length
      }),
    )
    entry.on('end', () =>
      guarded(() => {
        if (missing !== 0) return // the tar is cut off
        current = undefined
        incoming.finish()
      }),
    )
  }
  try {
    await readChunks(tar, (chunk) => {
      isEmpty &&= chunk.every((byte) => byte === 0)
      between += chunk.length
      // Behind its end the parser would keep whatever comes.
      if (!isOver) parser.write(chunk)
      if (fault !== undefined) throw fault
      if (between > mostBetween) throw new PgbkError('damaged', `${source} sent a tar without an end`)
    })
    parser.end()
    if (fault !== undefined) throw fault
  } finally {
    current?.abandon()
  }
}

/** ssh brings small pieces: a loop with `for await` would take as long as all the rest. */
function readChunks(stream: Readable, take: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('error', reject).on('close', resolve).on('end', resolve)
    stream.on('data', (chunk) => {
      try {
        take(chunk)
      } catch (error) {
        stream.destroy()
        reject(error)
      }
    })
    stream.resume()
  })
}

/** A tar has no parts of a second. */
function changedAt({ mtime }: ReadEntry): Date {
  return mtime ? new Date(mtime.getTime() + 999) : new Date()
}

function isFile({ type }: ReadEntry): boolean {
  return type === 'File' || type === 'OldFile' || type === 'ContiguousFile'
}

function notWanted(source: string, what: string): PgbkError {
  return new PgbkError('damaged', `${source} sent ${JSON.stringify(what)}, which was not asked for`, {
    hint: 'Nothing of it was written. Do you trust that host?',
  })
}
