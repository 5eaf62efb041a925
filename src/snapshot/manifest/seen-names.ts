/**
 * A set of names, whose characters are bytes, that takes 8 bytes for each, however long they are: it keeps a hash of 64 bits. Two
 * equal names are always found; of a million different ones two are taken for equal once in 40 million sets.
 */
export class SeenNames {
  #table = new Uint32Array(2 * 1024)
  #count = 0

  /** False when it is there already. */
  add(name: string): boolean {
    if (4 * this.#count >= this.#table.length) this.#grow()
    const [high, low] = hashOf(name)
    const isNew = put(this.#table, high, low)
    if (isNew) this.#count++
    return isNew
  }

  #grow(): void {
    const larger = new Uint32Array(2 * this.#table.length)
    for (let at = 0; at < this.#table.length; at += 2) {
      const high = this.#table[at] ?? 0
      if (high !== 0) put(larger, high, this.#table[at + 1] ?? 0)
    }
    this.#table = larger
  }
}

function put(table: Uint32Array, high: number, low: number): boolean {
  const mask = table.length - 1
  for (let at = (low << 1) & mask; ; at = (at + 2) & mask) {
    if (table[at] === 0) {
      table[at] = high
      table[at + 1] = low
      return true
    }
    if (table[at] === high && table[at + 1] === low) return false
  }
}

/** Two hashes of 32 bits (FNV-1a, with the ending of MurmurHash3); the first is never 0, which marks a free place. */
export function hashOf(name: string): [number, number] {
  let [one, other] = [0x811c9dc5, 0x9747b28c]
  for (let at = 0; at < name.length; at++) {
    const byte = name.charCodeAt(at)
    one = Math.imul(one ^ byte, 0x01000193)
    other = Math.imul(other ^ byte, 0x5bd1e995)
    other ^= other >>> 15
  }
  return [mixed(one) || 1, mixed(other)]
}

function mixed(value: number): number {
  const half = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  const most = Math.imul(half ^ (half >>> 13), 0xc2b2ae35)
  return (most ^ (most >>> 16)) >>> 0
}
