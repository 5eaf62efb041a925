import { expect, it } from '@jest/globals'
import { openDedupedLog } from '../../src/wal-receiver/deduped-log.js'

it('a deduped log says each thing once, reminds once an hour, and knows what is wrong', () => {
  const said: string[] = []
  let now = 0
  const progress = { say: (text: string) => said.push(text), warn: (text: string) => said.push(`! ${text}`) }
  const log = openDedupedLog(progress, () => new Date(now))
  for (let count = 0; count < 3; count++) log.trouble('no server')
  expect(log.problem).toBe('no server')
  log.remind('still none')
  now += 61 * 60_000
  log.remind('still none')
  log.remind('still none')
  log.report('receiving')
  log.report('receiving')
  expect(log.problem).toBeNull()
  log.trouble('no server')
  expect(said).toEqual(['! no server', '! still none', 'receiving', '! no server'])
})
