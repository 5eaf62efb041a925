import { Header, Pax } from 'tar'
import { type BytePath, shownPath } from '../../system/paths/byte-path.js'

/** What becomes a file in a tar. */
export interface TarFile {
  bytes: number
  changedAt: Date
  read(write: (bytes: Buffer) => Promise<void>): Promise<void>
}

/** What becomes an entry of a tar: a file, or else a directory. */
export interface TarEntry {
  name: BytePath
  file: TarFile | undefined
}

const blockSize = 512

/** Writes a tar. What is read of a file has as many bytes as were named before. */
export async function writeTar(
  entries: AsyncIterable<TarEntry>,
  write: (bytes: Buffer) => Promise<void>,
): Promise<void> {
  for await (const { name, file } of entries) {
    await write(headerOf(shownPath(name), file))
    if (!file) continue
    await file.read(write)
    await write(Buffer.alloc(-file.bytes & (blockSize - 1)))
  }
  await write(Buffer.alloc(2 * blockSize))
}

function headerOf(path: string, file: TarEntry['file']): Buffer {
  const kind = file
    ? ({ type: 'File', mode: 0o600, size: file.bytes, mtime: wholeSeconds(file.changedAt) } as const)
    : ({ type: 'Directory', mode: 0o700, size: 0, mtime: new Date(0) } as const)
  const header = new Header({ path, ...kind })
  const block = Buffer.alloc(blockSize)
  return header.encode(block) ? Buffer.concat([new Pax({ path, size: kind.size }).encode(), block]) : block
}

/** A tar has no parts of a second; a file is not to seem older than it is. */
function wholeSeconds(time: Date): Date {
  return new Date(Math.ceil(time.getTime() / 1000) * 1000)
}
