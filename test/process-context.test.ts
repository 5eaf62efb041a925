import { execFileSync } from 'node:child_process'
import { expect, it } from '@jest/globals'
import { secretsName } from '../src/remote-image/served-variables.js'

it('what the process itself starts has no identities, and who serves an image has them', () => {
  const script = `
import { processContext } from '${new URL('../dist/process-context.js', import.meta.url)}'
const { env } = processContext()
console.log(JSON.stringify([env['${secretsName}'], process.env['${secretsName}'] ?? null]))
process.exit()`
  const env = { ...process.env, NODE_OPTIONS: '', [secretsName]: 'secret' }
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env })
  expect(JSON.parse(said.toString())).toEqual(['secret', null])
})
