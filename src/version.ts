import { readFileSync } from 'node:fs'
import { checkJson, v } from './schema.js'

/** The version of pgbk, as package.json has it. */
const { value } = checkJson(
  v.object({ version: v.string() }),
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
)
export const version = value?.version ?? 'unknown'
