/** The kinds of numbers in fuse.h; those of 64 bits are exact up to 2^53, which no size or id here reaches. */
type Field = 'uint16' | 'uint32' | 'int32' | 'uint64' | 'int64'

/** A structure that kernel and file server exchange, in the byte order of the machine, which is little-endian wherever Node runs. */
export interface Struct<Name extends string> {
  /** In bytes. */
  size: number
  read(buffer: Buffer, at: number): Record<Name, number>
  /** What is not given is 0, as reserved fields must be. */
  write(buffer: Buffer, at: number, values: Partial<Record<Name, number>>): void
}

const sizes: Record<Field, number> = { uint16: 2, uint32: 4, int32: 4, uint64: 8, int64: 8 }
const half = 2 ** 32

const readers: Record<Field, (buffer: Buffer, at: number) => number> = {
  uint16: (buffer, at) => buffer.readUInt16LE(at),
  uint32: (buffer, at) => buffer.readUInt32LE(at),
  int32: (buffer, at) => buffer.readInt32LE(at),
  uint64: (buffer, at) => buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * half,
  int64: (buffer, at) => buffer.readUInt32LE(at) + buffer.readInt32LE(at + 4) * half,
}

const writers: Record<Field, (buffer: Buffer, at: number, value: number) => void> = {
  uint16: (buffer, at, value) => void buffer.writeUInt16LE(value, at),
  uint32: (buffer, at, value) => void buffer.writeUInt32LE(value, at),
  int32: (buffer, at, value) => void buffer.writeInt32LE(value, at),
  uint64: (buffer, at, value) => {
    buffer.writeUInt32LE(value % half, at)
    buffer.writeUInt32LE(Math.floor(value / half), at + 4)
  },
  int64: (buffer, at, value) => {
    const high = Math.floor(value / half)
    buffer.writeUInt32LE(value - high * half, at)
    buffer.writeInt32LE(high, at + 4)
  },
}

/** @param fields in their order in memory. */
export function struct<Name extends string>(fields: Record<Name, Field>): Struct<Name> {
  let size = 0
  const places = (Object.entries(fields) as [Name, Field][]).map(([name, field]) => {
    const place = { name, offset: size, read: readers[field], write: writers[field] }
    size += sizes[field]
    return place
  })
  return {
    size,
    read: (buffer, at) => {
      const values = {} as Record<Name, number>
      for (const { name, offset, read } of places) values[name] = read(buffer, at + offset)
      return values
    },
    write: (buffer, at, values) => {
      for (const { name, offset, write } of places) write(buffer, at + offset, values[name] ?? 0)
    },
  }
}
