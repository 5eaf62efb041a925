/** How much would be made of a text of JSON. */
interface JsonSize {
  /** Of objects and lists in each other. */
  depth: number
  values: number
}

/**
 * Counts in the text itself, before anything is made of it: a list of empty objects takes twenty times what its text has, and one that
 * is nested without end a hundred times.
 * @param most counting ends where there are more values, or a depth of thousands.
 * @returns undefined where a character of it can be in no JSON.
 */
export function sizeOfJson(text: string, most: number): JsonSize | undefined {
  let [depth, deepest, values] = [0, 0, 1]
  for (let at = 0; at < text.length && values <= most && deepest <= mostDepth; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at)
    const kind = kinds[code]
    if (!kind) return undefined
    if (kind === opens) deepest = Math.max(deepest, ++depth)
    if (kind === opens || kind === comma) values++
    if (kind !== closes) continue
    depth--
    if (kinds[text.charCodeAt(at - 1)] === opens) values-- // an empty one, whose first value was counted
  }
  return { depth: deepest, values }
}

const mostDepth = 10_000

const [quote, backslash] = [0x22, 0x5c]

/** What a character outside of strings is; 0 for what can be there in no JSON. */
const kinds = new Uint8Array(128)
const [other, comma, opens, closes] = [1, 2, 3, 4] as const
const characters = {
  [other]: ' \t\n\r:0123456789+-.eEtrufalsn"',
  [comma]: ',',
  [opens]: '[{',
  [closes]: ']}',
}
for (const [kind, all] of Object.entries(characters))
  for (const character of all) kinds[character.charCodeAt(0)] = Number(kind)

/** Where the quote is that ends a string; behind the text, where none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end
    while (text.charCodeAt(before - 1) === backslash) before--
    if ((end - before) % 2 === 0) return end
  }
  return text.length
}
