import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { v } from '../../../src/schema.js'
import { lookAtNote, needNote, readNote } from '../../../src/system/files/read-note.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const schema = v.object({ count: v.number() })

/** A directory, with something in it at the path of the note. */
function aPlace(make: (path: string) => void): string {
  const path = join(aDirectory(), 'note.json')
  make(path)
  return path
}

const cases: [string, (path: string) => void, object][] = [
  ['is right', (path) => writeFileSync(path, '{"count": 1, "later": true}'), { value: { count: 1 } }],
  ['is not there', () => {}, { why: 'absent' }],
  ['is below a file', () => {}, { why: 'absent' }],
  ['is empty', (path) => writeFileSync(path, ''), { why: 'garbled' }],
  ['has another kind of value', (path) => writeFileSync(path, '{"count": "1"}'), { why: 'garbled' }],
  ['is a directory', (path) => mkdirSync(path), { why: 'foreign' }],
  ['is a link', (path) => symlinkSync('/etc/hostname', path), { why: 'foreign' }],
  [
    'is larger than any',
    (path) => writeFileSync(path, `{"count": 1}${' '.repeat(70_000)}`),
    { why: 'foreign' },
  ],
]

describe('a note', () => {
  it.each(cases)('that %s is told from others', (what, make, note) => {
    const path = aPlace(make)
    expect(lookAtNote(schema, what === 'is below a file' ? '/etc/hostname/note.json' : path)).toEqual(note)
    expect(readNote(schema, path)).toEqual('value' in note ? note.value : undefined)
  })

  it('that must be there is the reason of an error when it is not right', async () => {
    const path = aPlace((place) => writeFileSync(place, '{"count": null}'))
    expect(await thrownBy(() => needNote(schema, path))).toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(/note\.json is unreadable: count: /),
    })
  })
})
