import { type BytePath, bytePath, isText, shownPath } from '../../system/paths/byte-path.js'

/**
 * Finds the names that were asked for in a tar, whose reader replaces what is not UTF-8. Of several that look alike then, tar sends
 * first what was asked for first.
 */
export class AskedNames {
  readonly #names: ReadonlySet<string>
  /** Those that are not UTF-8, by what they look like. */
  readonly #odd = new Map<string, BytePath[]>()

  constructor(names: readonly BytePath[]) {
    this.#names = new Set(names)
    for (const name of names) {
      if (isText(name)) continue
      const shown = shownPath(name)
      this.#odd.set(shown, [...(this.#odd.get(shown) ?? []), name])
    }
  }

  /** Undefined for what was not asked for. @param shown as the tar's reader gives it. */
  find(shown: string): BytePath | undefined {
    const name = bytePath(shown)
    return this.#names.has(name) ? name : this.#odd.get(shown)?.[0]
  }

  /** The same for an entry that has come now: the next one that looks like it is another. */
  take(shown: string): BytePath | undefined {
    const name = this.find(shown)
    const alike = this.#odd.get(shown)
    if (alike && alike.length > 1 && alike[0] === name) alike.shift()
    return name
  }
}
