import { beforeAll, describe, expect, it } from '@jest/globals'
import stringWidth from 'string-width'
import { type Column, tableLines } from '../../src/terminal/table.js'
import { loadWidths } from '../../src/terminal/width.js'

beforeAll(loadWidths)

type Row = [string, string, string]
const columns: Column<Row>[] = [
  { title: 'ID', value: ([id]) => id },
  { title: 'SIZE', value: ([, size]) => size, align: 'right' },
  { title: 'NAME', value: ([, , name]) => name, expendable: 1 },
]
const lines = (rows: Row[], width?: number) => tableLines(columns, rows, width)

describe('a table', () => {
  it('aligns its columns under their titles', () => {
    const rows: Row[] = [
      ['a', '1 kB', 'x'],
      ['longer', '100 MB', 'y'],
    ]
    expect(lines(rows)).toEqual(['ID        SIZE  NAME', 'a         1 kB  x', 'longer  100 MB  y'])
  })

  it('has a header without rows', () => expect(lines([])).toEqual(['ID  SIZE  NAME']))

  it('leaves no blanks at the end of lines', () => expect(lines([['a', '1', '']])[1]).toBe('a      1'))

  it('cuts an expendable column short to fit', () => {
    const [, row = ''] = lines([['a', '1', 'a rather long name']], 20)
    expect(row).toBe('a      1  a rather …')
    expect(row).toHaveLength(20)
  })

  it('leaves it out when too little would be left', () => {
    expect(lines([['a', '1', 'a rather long name']], 14)).toEqual(['ID  SIZE', 'a      1'])
  })

  it('never cuts what is not expendable', () => {
    expect(lines([['a-long-identifier', '1', 'x']], 10)[1]).toBe('a-long-identifier     1')
  })

  it('gives up the most expendable columns first', () => {
    const two = columns.map((column) => (column.title === 'SIZE' ? { ...column, expendable: 2 } : column))
    expect(tableLines(two, [['a', '1', 'b']], 8)[0]).toBe('ID  NAME')
  })
})

describe('wide characters', () => {
  it.each(['漢字の長いラベルです', '👩‍👩‍👧‍👦 family 👨‍👩‍👧', 'e\u0301\u0301clair, combined'])(
    'take the room that they need: %s',
    (name) => {
      for (const width of [16, 17, 18, 19, 20, 30]) {
        for (const line of lines([['a', '1', name]], width))
          expect(stringWidth(line)).toBeLessThanOrEqual(width)
      }
    },
  )

  it('do not move the columns after them', () => {
    const [first = '', second = ''] = lines([
      ['漢字', '1', 'x'],
      ['abcd', '2', 'x'],
    ]).slice(1)
    expect(stringWidth(first.replace(/x$/, ''))).toBe(stringWidth(second.replace(/x$/, '')))
  })
})
