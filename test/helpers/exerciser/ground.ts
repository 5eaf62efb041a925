import * as fs from 'node:fs'
import { beginning, chance, type DirectoryModel, type FileModel, type Model } from './model.js'

/** One thing that a history does. Throws where what comes of it differs from the model. */
export type Operation = (ground: Ground) => void

/** The directory that a history is done to, the model of it, and the lots that are drawn. */
export class Ground {
  readonly next: (limit: number) => number
  readonly model: DirectoryModel = beginning()
  readonly open: { descriptor: number; file: FileModel }[] = []
  /** What was done so far, for people. */
  readonly log: string[] = []

  constructor(
    readonly root: string,
    seed: number,
  ) {
    this.next = chance(seed)
  }

  pick<T>(all: readonly T[]): T {
    return all[this.next(all.length)] as T
  }

  tell(text: string): void {
    this.log.push(`${this.log.pop()} ${text}`)
  }

  /** All names, with what they lead to. */
  names(kind?: Model['kind']): [DirectoryModel, string, string, Model][] {
    const found: [DirectoryModel, string, string, Model][] = []
    const walk = (directory: DirectoryModel, path: string) => {
      for (const [name, node] of directory.children) {
        if (kind === undefined || node.kind === kind) found.push([directory, name, `${path}/${name}`, node])
        if (node.kind === 'directory') walk(node, `${path}/${name}`)
      }
    }
    walk(this.model, this.root)
    return found
  }

  directories(): [DirectoryModel, string][] {
    return [
      [this.model, this.root],
      ...this.names('directory').map(
        ([, , path, node]) => [node as DirectoryModel, path] as [DirectoryModel, string],
      ),
    ]
  }

  file(): [FileModel, string] | undefined {
    const files = this.names('file')
    if (files.length === 0) return undefined
    const [, , path, node] = this.pick(files)
    this.tell(path)
    return [node as FileModel, path]
  }

  /** A name that may be taken. */
  newName(): [DirectoryModel, string, string] {
    const [directory, path] = this.pick(this.directories())
    const name = this.pick(['new', 'odd', 'big', 'd', 'x'.repeat(255), '\xe9', 'small'])
    this.tell(`${path}/${name}`)
    return [directory, name, `${path}/${name}`]
  }

  /** At a block's edge, near it, or anywhere. */
  position(size: number): number {
    const anywhere = this.next(size + 9000)
    const edge = anywhere - (anywhere % 4096)
    return this.pick([anywhere, edge, Math.max(edge - 1, 0), edge + 1, size])
  }

  length(): number {
    return this.pick([1, 100, 4096, 8192, 8191, 8193, 40_960, this.next(20_000) + 1, this.next(200_000) + 1])
  }
}

export function fails(code: string, does: () => void): void {
  let found = 'success'
  try {
    does()
  } catch (error) {
    found = (error as { code: string }).code
  }
  if (found !== code) throw new Error(`${code} was to be expected, and not ${found}`)
}

export function withFile(path: string, flags: number, use: (descriptor: number) => void): void {
  const descriptor = fs.openSync(Buffer.from(path, 'latin1'), flags)
  try {
    use(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}
