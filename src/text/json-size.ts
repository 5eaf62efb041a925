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
 */
export function sizeOfJson(text: string, most: number): JsonSize {
  let [depth, deepest, values] = [0, 0, 1]
  for (let at = 0; at < text.length && values <= most && deepest <= mostDepth; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) at = endOfString(text, at)
    else if (code === comma)
      values++ // the next one
    else if (code === brace || code === bracket) {
      values++
      deepest = Math.max(deepest, ++depth)
    } else if (code === closingBrace || code === closingBracket) {
      depth--
      if (code === text.charCodeAt(at - 1) + 2) values-- // an empty one, whose first value was counted
    }
  }
  return { depth: deepest, values }
}

const mostDepth = 10_000

const [quote, comma, backslash] = [0x22, 0x2c, 0x5c]
const [brace, closingBrace, bracket, closingBracket] = [0x7b, 0x7d, 0x5b, 0x5d]

/** Where the quote is that ends a string; behind the text, where none does. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end
    while (text.charCodeAt(before - 1) === backslash) before--
    if ((end - before) % 2 === 0) return end
  }
  return text.length
}
