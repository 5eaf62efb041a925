import { expect, it } from '@jest/globals'
import { readdirSync, writeFileSync } from 'node:fs'
import { readdir, open } from 'node:fs/promises'
import { systemCode } from '../src/errors.js'
it('probe', async () => {
  let a: unknown, b: unknown
  try { readdirSync('/nope') } catch (e) { a = e }
  try { await readdir('/nope') } catch (e) { b = e }
  expect([systemCode(a), systemCode(b), a instanceof Error, b instanceof Error, Error.toString(), typeof process.seteuid, typeof process.setegid]).toEqual([])
})
