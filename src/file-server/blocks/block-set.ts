/** A set of the numbers from 0 up to a limit, one bit each: 32 kB for the blocks of 1 GB. */
export class BlockSet {
  readonly #bits: Uint8Array

  /** @param limit above the largest number. */
  constructor(limit: number) {
    this.#bits = new Uint8Array(Math.ceil(limit / 8))
  }

  has(block: number): boolean {
    return ((this.#bits[block >> 3] ?? 0) & (1 << (block & 7))) !== 0
  }

  add(block: number): void {
    this.#bits[block >> 3] = (this.#bits[block >> 3] ?? 0) | (1 << (block & 7))
  }
}
