/**
 * A value as a JSON document, with a line break at its end. JSON itself escapes what ASCII has of control characters; those of other
 * sets, and the marks that turn the direction of writing, stand as escapes here too: a terminal would obey them.
 */
export function jsonText(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, undefined, indent)
  return `${json.replace(/\p{Cc}|\p{Zl}|\p{Zp}|\p{Bidi_Control}/gu, escaped)}\n`
}

/** The only control character that JSON.stringify leaves is the line break of its own layout. */
function escaped(character: string): string {
  if (character === '\n') return character
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
