import { describe, expect, it } from '@jest/globals'
import { largestDatabase } from '../../src/catalog/recorded-database.js'
import { aRecord } from './samples.js'

type Databases = ReturnType<typeof aRecord>['databases']
const [sample] = aRecord().databases as [Databases[number]]
const aDatabase = (name: string, size_bytes: number, more: Partial<Databases[number]> = {}) => ({
  ...sample,
  name,
  size_bytes,
  ...more,
})

describe('the largest database', () => {
  it.each<[string, Databases, string]>([
    ['of older records, which do not tell who can connect', [aDatabase('a', 1), aDatabase('b', 2)], 'b'],
    ['without templates', [aDatabase('a', 1), aDatabase('template1', 2)], 'a'],
    [
      'without what an interrupted DROP has left',
      [aDatabase('a', 1), aDatabase('b', 2, { access: 'invalid' })],
      'a',
    ],
    [
      'without those that allow no connections',
      [aDatabase('a', 1), aDatabase('b', 2, { access: 'nobody' })],
      'a',
    ],
    [
      'open to more than superusers first',
      [aDatabase('a', 1, { access: 'open' }), aDatabase('b', 2, { access: 'superusers' })],
      'a',
    ],
    ['open to superusers if there is no other', [aDatabase('b', 2, { access: 'superusers' })], 'b'],
    [
      'with a name that every program can be told',
      [aDatabase('a', 1), aDatabase('b', 2, { name_bytes: 'e9' })],
      'a',
    ],
    ['or the template where there is none', [aDatabase('b', 2, { access: 'nobody' })], 'template1'],
  ])('%s', (_, databases, name) => expect(largestDatabase({ databases })).toBe(name))
})
