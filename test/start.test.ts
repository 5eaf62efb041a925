import { cpSync, mkdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { aDirectory } from './helpers/places.js'
import { asUser } from './helpers/users.js'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

const run = ([file = '', ...args]: string[]) => execa(file, args)

const project = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** What others see of the arguments at the moment when the first module of pgbk is loaded. */
async function shownAtStart(...args: string[]): Promise<string> {
  const directory = aDirectory()
  cpSync(project('bin'), join(directory, 'bin'), { recursive: true })
  mkdirSync(join(directory, 'dist'))
  const look = "process.stdout.write(require('node:fs').readFileSync('/proc/self/cmdline'))"
  writeFileSync(join(directory, 'dist/pgbk.cjs'), `${look}\nexports.run = () => {}\n`)
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

/** Another byte at this place, counted from the end where it is negative. */
function change(file: string, at: number): void {
  const bytes = readFileSync(file)
  const place = at < 0 ? bytes.length + at : at
  bytes[place] = bytes[place] === 0x2d ? 0x2e : 0x2d
  writeFileSync(file, bytes)
}

describe('the code cache', () => {
  const bundles = ['dist/pgbk.cjs', 'dist/s3-sdk.cjs', 'dist/age-library.cjs']

  /** A copy of what starts pgbk, built with this Node; `start` prints whether V8 has taken what was kept of each, and then does as pgbk. */
  async function aCopy() {
    const directory = aDirectory()
    for (const part of ['bin', 'package.json', ...bundles])
      cpSync(project(part), join(directory, part), { recursive: true })
    await run([process.execPath, join(directory, 'bin/make-code-cache.js'), '--help'])
    const use = join(directory, 'use.cjs')
    const told = "({ script }) => (script.cachedDataRejected === false ? 'taken' : 'compiled')"
    const all = `const all = require('./bin/load.js').loadAll()\nconsole.log(...all.map(${told}))`
    writeFileSync(use, `${all}\nall[0].exports.run()\n`)
    const files = bundles.map((bundle) => join(directory, bundle))
    const codeCaches = files.map((file) => `${file}.code-cache`)
    const start = async (...args: string[]) =>
      (await run([...asUser(), process.execPath, use, ...args])).stdout
    return { bundle: files[0] ?? '', codeCache: codeCaches[0] ?? '', codeCaches, start }
  }

  it('is taken, by whoever starts pgbk', async () => {
    const { codeCaches, start } = await aCopy()
    expect(await start('--version')).toBe(`taken taken taken\n${version}`)
    for (const file of codeCaches) expect(statSync(file).mode & 0o777).toBe(0o644)
  })

  it('of a library is not taken where it is damaged', async () => {
    const { codeCaches, start } = await aCopy()
    change(codeCaches[1] ?? '', 300_000)
    expect(await start('--version')).toBe(`taken compiled taken\n${version}`)
  })

  it.each<[string, (files: { bundle: string; codeCache: string }) => void]>([
    ['is of another bundle, as long', ({ bundle }) => change(bundle, -8)],
    ['is damaged', ({ codeCache }) => change(codeCache, 500_000)],
    ['is of another Node', ({ codeCache }) => change(codeCache, 1)],
    ['is missing', ({ codeCache }) => rmSync(codeCache)],
    ['is something else', ({ codeCache }) => writeFileSync(codeCache, 'x'.repeat(1000))],
    ['was cut off', ({ codeCache }) => truncateSync(codeCache, 500_000)],
  ])('is not taken where it %s', async (_what, harm) => {
    const copy = await aCopy()
    harm(copy)
    expect(await copy.start('--version')).toBe(`compiled taken taken\n${version}`)
  })

  it('is no obstacle to what lies beside the bundle', async () => {
    expect(await (await aCopy()).start('key', 'new', join(aDirectory(), 'key'))).toMatch(
      /^taken taken taken\nWrote an identity/,
    )
  })
})
