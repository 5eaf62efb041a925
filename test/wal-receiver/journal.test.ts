import { expect, it } from '@jest/globals'
import { openJournal } from '../../src/wal-receiver/journal.js'

it('a journal says each thing once, reminds once an hour, and knows what is wrong', () => {
  const said: string[] = []
  let now = 0
  const progress = { say: (text: string) => said.push(text), warn: (text: string) => said.push(`! ${text}`) }
  const journal = openJournal(progress, () => new Date(now))
  for (let count = 0; count < 3; count++) journal.trouble('no server')
  expect(journal.problem).toBe('no server')
  journal.remind('still none')
  now += 61 * 60_000
  journal.remind('still none')
  journal.remind('still none')
  journal.report('receiving')
  journal.report('receiving')
  expect(journal.problem).toBeNull()
  journal.trouble('no server')
  expect(said).toEqual(['! no server', '! still none', 'receiving', '! no server'])
})
