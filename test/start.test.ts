import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aDirectory } from './helpers/places.js'

/** What others see of the arguments at the moment when the first module of pgbk is loaded. */
async function shownAtStart(...args: string[]): Promise<string> {
  const directory = aDirectory()
  cpSync(fileURLToPath(new URL('../bin', import.meta.url)), join(directory, 'bin'), { recursive: true })
  mkdirSync(join(directory, 'dist'))
  const look =
    "import { readFileSync } from 'node:fs'\nprocess.stdout.write(readFileSync('/proc/self/cmdline'))\n"
  writeFileSync(join(directory, 'dist/package.json'), '{"type": "module"}')
  writeFileSync(join(directory, 'dist/pgbk.js'), `${look}export const run = () => {}\n`)
  return (await execa(process.execPath, [join(directory, 'bin/pgbk.js'), ...args])).stdout
}

describe('before anything of pgbk is loaded', () => {
  it.each([
    ['postgresql://me:SECRET@db1/app'],
    ['postgresql://:SECRET@db1'],
    ['postgresql://me:SEC/RET@db1/app'],
    ['postgresql://db1/app?user=me&password=SECRET'],
    ['postgresql://db1/app?pass%77ord=SECRET'],
    ['--dbname=host=db1 password=SECRET'],
    ['-dhost=db1 PASSWORD = SECRET'],
    ['host=db1 oauth_client_secret=SECRET'],
    ['host=db1 sslpassword=SECRET'],
  ])('%s has gone from the process list', async (word) => {
    expect(await shownAtStart('create', '-d', word)).not.toMatch(/SEC/)
  })

  it('other arguments stay', async () => {
    expect(await shownAtStart('create', '-d', 'postgresql://me@db1/app')).toContain('postgresql://me@db1/app')
  })
})
