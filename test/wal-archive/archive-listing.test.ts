import { readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { agreedOn, filesInArchive } from '../../src/wal-archive/archive-listing.js'
import { aDirectory } from '../helpers/places.js'

/** An archive in which something happens each time that its names have been listed. */
function lists(names: string[], happens: (directory: string, look: number) => void) {
  const directory = aDirectory()
  for (const name of names) writeFileSync(join(directory, name), 'x')
  let looks = 0
  const list = (path: string) => {
    const listed = readdirSync(path)
    happens(path, ++looks)
    return listed
  }
  return { found: filesInArchive(directory, list).map(({ name }) => name), looks: () => looks }
}

describe('the files of an archive', () => {
  it('are looked at once where nobody renames', () => {
    const { found, looks } = lists(['3', '4.gz'], () => {})
    expect({ found, looks: looks() }).toEqual({ found: ['3', '4.gz'], looks: 1 })
  })

  it('have a segment that is compressed, or finished, between the listing and the look at it', () => {
    const { found, looks } = lists(['3', '4', '5.partial'], (directory, look) => {
      if (look === 1) renameSync(join(directory, '4'), join(directory, '4.gz'))
      if (look === 2) renameSync(join(directory, '5.partial'), join(directory, '5'))
    })
    expect({ found, looks: looks() }).toEqual({ found: ['3', '4.gz', '5'], looks: 3 })
  })

  it('are looked at no longer when a name never leads anywhere', () => {
    let count = 0
    const list = () => {
      count++
      return ['gone']
    }
    expect(filesInArchive(aDirectory(), list)).toEqual([])
    expect(count).toBe(5)
  })

  it('are none where there is no directory', () => expect(filesInArchive('/nowhere/wal')).toEqual([]))
})

describe('a gap', () => {
  const gaps = (...missing: (string | undefined)[]) => {
    let looks = 0
    const { gap } = agreedOn(() => {
      const one = missing[looks++]
      return { gap: one === undefined ? undefined : { missing: one } }
    })
    return { gap: gap?.missing, looks }
  }
  it.each([
    [[undefined], { gap: undefined, looks: 1 }],
    [['4', undefined], { gap: undefined, looks: 2 }],
    [['4', '4'], { gap: '4', looks: 2 }],
    [['4', '5', '5'], { gap: '5', looks: 3 }],
    [['1', '2', '3', '4', '5', '5'], { gap: '5', looks: 5 }],
  ])('that looks find one after the other, %j, is %j', (missing, expected) => {
    expect(gaps(...missing)).toEqual(expected)
  })
})
