import { hashOf } from './manifest/seen-names.js'

/** Tells whether two lists, in whatever order, have the same names; each takes no more room than a few numbers. */
export class NameSum {
  #count = 0
  #one = 0
  #other = 0

  /** @param name its characters are bytes. */
  add(name: string): void {
    const [one, other] = hashOf(name)
    this.#count++
    this.#one = (this.#one + one) >>> 0
    this.#other = (this.#other + other) >>> 0
  }

  /** Two that differ in any way are taken for equal once in 10^19 times. */
  equals(sum: NameSum): boolean {
    return this.#count === sum.#count && this.#one === sum.#one && this.#other === sum.#other
  }
}
