import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'

it('the test files whose duration is known are there', () => {
  const seconds = JSON.parse(readFileSync(new URL('seconds.json', import.meta.url), 'utf8'))
  const gone = (path: string) => !existsSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)))
  expect(Object.keys(seconds).filter(gone)).toEqual([])
})
