import type stringWidth from 'string-width'

let exactly: typeof stringWidth | undefined

/** Loads Unicode's tables, which takes longer than most commands do. */
export async function loadWidths(): Promise<void> {
  exactly ??= (await import('string-width')).default
}

/** Columns that a printable text takes on a terminal. What is not ASCII counts by the character until `loadWidths`. */
export function widthOf(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  return exactly ? exactly(text) : [...text].length
}
