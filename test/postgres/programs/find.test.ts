import { chmodSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import {
  clientsFor,
  findInstallations,
  type Installation,
  programOf,
} from '../../../src/postgres/programs/find.js'
import { aContext, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'
import { ordinaryUser } from '../../helpers/users.js'

/** A directory with client programs that say to be of this version. */
function aBin(
  version: string,
  { psql = true, script = `echo "pg_basebackup (PostgreSQL) ${version}"` } = {},
) {
  const bin = join(realpathSync(aDirectory()), 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'pg_basebackup'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  if (psql) writeFileSync(join(bin, 'psql'), '#!/bin/sh\n', { mode: 0o755 })
  return bin
}
const withPath = (...directories: string[]) => ({ PATH: [...directories, '/usr/bin', '/bin'].join(':') })

describe('findInstallations', () => {
  it('takes bin_dir first, then PATH in its order', async () => {
    const [own, first, second] = [aBin('99.1'), aBin('98.2'), aBin('97beta1 (Debian 97~beta1)')]
    const found = await findInstallations(own, aContext({ env: withPath(first, second) }))
    expect(found.slice(0, 3)).toEqual([
      { bin: own, major: 99, version: '99.1' },
      { bin: first, major: 98, version: '98.2' },
      { bin: second, major: 97, version: '97beta1' },
    ])
  })

  it('does not ask a pg_config that is a script, as that of Debian is', async () => {
    const bin = aBin('96.3')
    const tools = aDirectory()
    writeFileSync(join(tools, 'pg_config'), `#!/bin/sh\necho ${bin}\n`, { mode: 0o755 })
    const found = await findInstallations(undefined, aContext({ env: withPath(tools) }))
    expect(found).not.toContainEqual({ bin, major: 96, version: '96.3' })
  })

  it('names each directory once', async () => {
    const bin = aBin('95.1')
    const found = await findInstallations(bin, aContext({ env: withPath(bin, `${bin}/.`) }))
    expect(found.filter((installation) => installation.bin === bin)).toHaveLength(1)
  })

  it('refuses a bin_dir without programs', async () => {
    for (const bin of ['/no/such/directory', aDirectory()]) {
      const error = await thrownBy(() => findInstallations(bin, aContext({ env: withPath() })))
      expect(error).toMatchObject({ code: 'config', message: expect.stringContaining(`bin_dir ${bin}`) })
    }
  })

  it.each([
    ['the directory', '.', 0o777],
    ['the directory above', '..', 0o777],
    ['a program', 'psql', 0o757],
    ['a program for its group', 'pg_basebackup', 0o775],
  ])('refuses a bin_dir when others can write %s', async (_what, name, mode) => {
    const bin = aBin('93.1')
    const place = join(bin, name)
    chmodSync(place, mode)
    expect(await thrownBy(() => findInstallations(bin, aContext({ env: withPath() })))).toMatchObject({
      code: 'config',
      message: `bin_dir ${bin} cannot be trusted: ${place} can be written by others (mode ${mode.toString(8)})`,
      hint: expect.stringContaining(`chmod go-w ${place}`),
    })
  })

  it('refuses a bin_dir that belongs to another user, or is relative', async () => {
    const bin = aBin('92.1')
    const user = () => ({ uid: ordinaryUser.uid + 1, gid: ordinaryUser.gid + 1, name: 'another', home: '/' })
    const another = aContext({ env: withPath(), user })
    expect(await thrownBy(() => findInstallations(bin, another))).toMatchObject({
      code: 'config',
      message: `bin_dir ${bin} cannot be trusted: ${dirname(bin)} belongs to another user (uid ${ordinaryUser.uid})`,
    })
    expect(await thrownBy(() => findInstallations('bin', aContext({ env: withPath() })))).toMatchObject({
      message: 'bin_dir bin is not an absolute path',
    })
  })

  it('passes over directories of PATH that are relative, or whose programs do not work', async () => {
    const broken = aBin('', { script: 'exit 1' })
    const foreign = aBin('')
    writeFileSync(join(foreign, 'pg_basebackup'), '\u007fELF of another machine', { mode: 0o755 })
    const bin = aBin('94.1')
    const path = withPath('bin', '', broken, foreign, bin)
    expect((await findInstallations(undefined, aContext({ env: path })))[0]).toMatchObject({ bin })
  })
})

describe('the programs for a server', () => {
  const installed = (...majors: number[]): Installation[] =>
    majors.map((major) => ({ bin: aBin(`${major}.1`), major, version: `${major}.1` }))

  it.each([
    [15, [18, 15, 17], 15],
    [14, [18, 15, 17], 15],
    [18, [18, 15], 18],
  ])('of major %i out of %j are those of %i', (major, majors, chosen) => {
    expect(clientsFor(major, installed(...majors)).major).toBe(chosen)
  })

  it('are missing when the server is newer than all', async () => {
    expect(await thrownBy(() => clientsFor(18, installed(15, 17)))).toMatchObject({
      code: 'programs-missing',
      message: 'the server is PostgreSQL 18, but the newest client programs here are those of 17',
      hint: expect.stringContaining('postgresql-client-18'),
    })
  })

  it('are not those of an installation without psql', () => {
    const incomplete = { bin: aBin('15.1', { psql: false }), major: 15, version: '15.1' }
    expect(clientsFor(15, [incomplete, ...installed(17)]).major).toBe(17)
  })

  it('of exactly one major are found only where they are', () => {
    const bin = aBin('15.1')
    const installations = [
      { bin: '/no/such/directory', major: 15, version: '15.1' },
      { bin, major: 15, version: '15.1' },
    ]
    expect(programOf(15, 'psql', installations)).toBe(join(bin, 'psql'))
    expect(programOf(15, 'pg_waldump', installations)).toBeUndefined()
    expect(programOf(17, 'psql', installations)).toBeUndefined()
  })
})
