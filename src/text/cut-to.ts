/** So much of a text of others as a person reads; half a character is left out. */
export function cutTo(most: number, text: string): string {
  return text.length > most ? `${text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '')}…` : text
}
