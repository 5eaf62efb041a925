/** What a file system has to hold after what was done to it; names are bytes, one character each. */
export type Model = FileModel | DirectoryModel | LinkModel

export interface FileModel {
  kind: 'file'
  data: Buffer
  mode: number
  mtime?: number
}

export interface DirectoryModel {
  kind: 'directory'
  children: Map<string, Model>
  mode: number
}

export interface LinkModel {
  kind: 'link'
  target: string
}

export function writeTo(file: FileModel, position: number, bytes: Buffer): void {
  if (position + bytes.length > file.data.length) resizeTo(file, position + bytes.length)
  bytes.copy(file.data, position)
}

export function resizeTo(file: FileModel, size: number): void {
  const data = Buffer.alloc(size)
  file.data.copy(data, 0, 0, Math.min(size, file.data.length))
  file.data = data
}

/** Numbers that are the same for the same seed (mulberry32). */
export function chance(seed: number): (limit: number) => number {
  let state = seed | 0
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

const noise = (() => {
  const next = chance(4711)
  return Buffer.from(Uint32Array.from({ length: 1 << 18 }, () => next(2 ** 32)).buffer)
})()

/** Bytes that look random. */
export function noiseAt(place: number, length: number): Buffer {
  return noise.subarray(place % (noise.length - length), (place % (noise.length - length)) + length)
}

/** Sizes around those of blocks, pages and requests. */
const sizes: Record<string, number> = {
  empty: 0,
  small: 100,
  page: 4096,
  odd: 5000,
  blocks: 40_960,
  big: 300_123,
}

/** What every history begins with. */
export function beginning(): DirectoryModel {
  const file = (size: number): FileModel => ({
    kind: 'file',
    mode: 0o644,
    data: Buffer.from(noiseAt(size * 7, size)),
  })
  const inner = new Map<string, Model>([
    ['inner', file(12_288)],
    ['\xff\xfe n\xf6t UTF-8', file(8192)],
  ])
  return {
    kind: 'directory',
    mode: 0o755,
    children: new Map<string, Model>([
      ...Object.entries(sizes).map(([name, size]) => [name, file(size)] as const),
      ['d', { kind: 'directory', mode: 0o750, children: inner }],
      ['l', { kind: 'link', target: 'odd' }],
    ]),
  }
}
