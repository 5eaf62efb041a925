/** The kinds of numbers in fuse.h; those of 64 bits are exact up to 2^53, which no size or id here reaches. */
type Field = 'uint16' | 'uint32' | 'int32' | 'uint64' | 'int64'

/** A structure that kernel and file server exchange, in the byte order of the machine, which is little-endian wherever Node runs. */
export interface Struct<Name extends string> {
  /** In bytes. */
  size: number
  /** What is there; each number is looked up when it is asked for, and so only as long as the bytes stay. */
  read(buffer: Buffer, at: number): Readonly<Record<Name, number>>
  /** What is not given is 0, as reserved fields must be. */
  write(buffer: Buffer, at: number, values: Partial<Record<Name, number>>): void
}

type Reader = (buffer: Buffer, at: number) => number
type Writer = (buffer: Buffer, at: number, value: number) => void

const sizes: Record<Field, number> = { uint16: 2, uint32: 4, int32: 4, uint64: 8, int64: 8 }
const half = 2 ** 32

/** For each field a function of its own, which the engine makes fast where one for all would stay slow. @param offset in the structure. */
const readers: Record<Field, (offset: number) => Reader> = {
  uint16: (offset) => (buffer, at) => buffer.readUInt16LE(at + offset),
  uint32: (offset) => (buffer, at) => buffer.readUInt32LE(at + offset),
  int32: (offset) => (buffer, at) => buffer.readInt32LE(at + offset),
  uint64: (offset) => (buffer, at) =>
    buffer.readUInt32LE(at + offset) + buffer.readUInt32LE(at + offset + 4) * half,
  int64: (offset) => (buffer, at) =>
    buffer.readUInt32LE(at + offset) + buffer.readInt32LE(at + offset + 4) * half,
}

const writers: Record<Field, (offset: number) => Writer> = {
  uint16: (offset) => (buffer, at, value) => void buffer.writeUInt16LE(value, at + offset),
  uint32: (offset) => (buffer, at, value) => void buffer.writeUInt32LE(value, at + offset),
  int32: (offset) => (buffer, at, value) => void buffer.writeInt32LE(value, at + offset),
  uint64: (offset) => (buffer, at, value) => {
    const high = Math.floor(value / half)
    buffer.writeUInt32LE(value - high * half, at + offset)
    buffer.writeUInt32LE(high, at + offset + 4)
  },
  int64: (offset) => (buffer, at, value) => {
    const high = Math.floor(value / half)
    buffer.writeUInt32LE(value - high * half, at + offset)
    buffer.writeInt32LE(high, at + offset + 4)
  },
}

/** @param fields in their order in memory. */
export function struct<Name extends string>(fields: Record<Name, Field>): Struct<Name> {
  class View {
    constructor(
      readonly buffer: Buffer,
      readonly at: number,
    ) {}
  }
  let size = 0
  const places = (Object.entries(fields) as [Name, Field][]).map(([name, field]) => {
    const read = readers[field](size)
    Object.defineProperty(View.prototype, name, {
      get(this: View) {
        return read(this.buffer, this.at)
      },
    })
    const write = writers[field](size)
    size += sizes[field]
    return { name, write }
  })
  return {
    size,
    read: (buffer, at) => new View(buffer, at) as unknown as Record<Name, number>,
    write: (buffer, at, values) => {
      for (const { name, write } of places) write(buffer, at, values[name] ?? 0)
    },
  }
}
