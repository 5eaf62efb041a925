/** Breaks a text into lines at spaces; a word that is longer than a line stays whole, so that it can be copied. */
export function wrap(text: string, width: number | undefined): string {
  if (width === undefined) return text
  return text
    .split('\n')
    .map((line) => wrapLine(line, width))
    .join('\n')
}

function wrapLine(line: string, width: number): string {
  // An indented line is a command or a list: it is to be copied, or already as it should be.
  if (line.length <= width || line.startsWith('  ')) return line
  const lines: string[] = []
  let current = ''
  for (const word of line.split(' ')) {
    if (current !== '' && current.length + 1 + word.length > width) {
      lines.push(current)
      current = word
    } else {
      current = current === '' ? word : `${current} ${word}`
    }
  }
  return [...lines, current].join('\n')
}
