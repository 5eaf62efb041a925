import { cutTo } from '../text/cut-to.js'
import { printable } from './screen.js'
import { widthOf } from './width.js'

export interface Column<Row> {
  title: string
  value(row: Row): string
  align?: 'right'
  /** Columns that may be cut short, or left out, when the terminal is narrow; the highest number goes first. */
  expendable?: number
  paint?(text: string, row: Row): string
}

const gap = '  '
const narrowest = 8

/** Of a cell: a path of another machine may be long, but one text is not to widen every line without end. */
const longest = 1000

/** Lines of a table, header first, no wider than `width` if expendable columns allow it. */
export function tableLines<Row>(
  columns: Column<Row>[],
  rows: Row[],
  width = Number.POSITIVE_INFINITY,
): string[] {
  const cells = rows.map((row) => columns.map((column) => printable(cutTo(longest, column.value(row)))))
  const widths = columns.map(({ title }, index) => Math.max(widthOf(title), widest(cells, index)))
  const shown = narrow(columns, widths, width)
  const line = (texts: string[], row?: Row) =>
    shown
      .map((index) => {
        const column = columns[index] as Column<Row>
        const text = pad(cut(texts[index] ?? '', widths[index] ?? 0), widths[index] ?? 0, column.align)
        return row !== undefined && column.paint ? column.paint(text, row) : text
      })
      .join(gap)
      .trimEnd()
  return [line(columns.map(({ title }) => title)), ...rows.map((row, index) => line(cells[index] ?? [], row))]
}

function widest(cells: string[][], index: number): number {
  return cells.reduce((most, row) => Math.max(most, widthOf(row[index] ?? '')), 0)
}

/** Narrows, then drops expendable columns until the table fits; returns which columns are left. */
function narrow<Row>(columns: Column<Row>[], widths: number[], width: number): number[] {
  let shown = columns.map((_, index) => index)
  const total = () => shown.reduce((sum, index) => sum + (widths[index] ?? 0) + gap.length, -gap.length)
  const order = shown.filter((index) => columns[index]?.expendable !== undefined)
  order.sort((a, b) => (columns[b]?.expendable ?? 0) - (columns[a]?.expendable ?? 0))
  for (const index of order) {
    const over = total() - width
    if (over <= 0) break
    const left = (widths[index] ?? 0) - over
    if (left >= narrowest) widths[index] = left
    else shown = shown.filter((other) => other !== index)
  }
  return shown
}

function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text
  let kept = ''
  for (const character of text) {
    if (widthOf(kept + character) > width - 1) break
    kept += character
  }
  return `${kept}…`
}

function pad(text: string, width: number, align: 'right' | undefined): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)))
  return align === 'right' ? space + text : text + space
}
