import { readFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { runPgbk } from './helpers/pgbk.js'

it("the README's usage text is what pgbk --help prints", async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const usage = /<!-- usage -->\n```\n([\s\S]*?)```\n<!-- \/usage -->/.exec(readme)?.[1]
  const { stdout } = await runPgbk(['--help'])
  expect(usage?.trim()).toBe(stdout.trim())
})
