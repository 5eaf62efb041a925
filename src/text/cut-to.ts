/** So much of a text of others as a person reads; half a character is left out. */
export function cutTo(most: number, text: string): string {
  return text.length > most ? `${text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '')}…` : text
}

/** The last three lines of what a program has said, which tell how it ended, in 500 characters. */
export function lastWords(said: string): string {
  return cutTo(500, said.trim().split('\n').slice(-3).join('\n'))
}
