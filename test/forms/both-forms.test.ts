import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from '@jest/globals'

const e2e = fileURLToPath(new URL('../e2e', import.meta.url))
const ofBackups = /^(download|local-run|pro(of|ve)|restore|verify)\b.*\.test\.ts$/
const reasons = /helpers\/forms\.js'|^\/\/ One form: \w.*\.$/m

it('what is done with a backup is tested on both forms, or the test file says why not: "// One form: ..."', () => {
  const files = readdirSync(e2e).filter((name) => ofBackups.test(name))
  expect(files.length).toBeGreaterThan(10)
  expect(files.filter((name) => !reasons.test(readFileSync(`${e2e}/${name}`, 'utf8')))).toEqual([])
})
