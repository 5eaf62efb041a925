import { lstatSync } from 'node:fs'
import { type BytePath, bytePath, isText, shownPath, systemPath } from '../paths/byte-path.js'
import { measureTree } from './measure.js'
import { readPiece } from './read-small.js'
import { walkTree } from './walk-tree.js'

interface SampleOptions {
  /** About how many pieces are looked at: all, where the tree has no more. */
  pieces: number
  /** Bytes of each; fewer at the end of a file. */
  size: number
  signal: AbortSignal
}

/** A piece of a file. */
export interface TreeSample {
  /** The file, below the top. */
  name: BytePath
  /** Where it begins. */
  from: number
  bytes: Buffer
}

/**
 * Shows pieces of the files of a tree, from all over it: each stands for as many bytes as all others, however small its file is.
 * @param look must not wait.
 * @returns the bytes of all files.
 * @throws what `look` throws; a system error; the signal's reason when aborted.
 */
export async function sampleTree(
  top: string,
  { pieces, size, signal }: SampleOptions,
  look: (sample: TreeSample) => void,
): Promise<number> {
  const { bytes: all } = await measureTree(top)
  const every = Math.max(size, all / pieces)
  let [start, next] = [0, 0]
  const lookInto = (name: BytePath, path: BytePath) => {
    const end = start + lstatSync(systemPath(path)).size
    for (; next < end; next += every) {
      const from = Math.floor((next - start) / size) * size
      const bytes = readPiece(shownPath(path), from, size)
      if (bytes.length > 0) look({ name, from, bytes })
    }
    start = end
  }
  await walkTree(
    bytePath(top),
    ({ name, path, kind }) => {
      if (kind.isFile() && isText(path)) lookInto(name, path)
    },
    { signal },
  )
  return all
}
