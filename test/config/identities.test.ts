import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
// Loaded before the user changes, who may not write Jest's cache.
import 'age-encryption'
import '../../src/encryption/identity-file.js'
import { identitiesOf, withIdentitiesIn } from '../../src/config/identities.js'
import type { Identity } from '../../src/context.js'
import { aContext, asOrdinaryUser, thrownBy } from '../catalog/samples.js'
import { alice, bob, protectedBy } from '../encryption/samples.js'
import { aDirectory } from '../helpers/places.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

function aFile(directory: string, name: string, ...identities: Identity[]): string {
  const file = join(directory, name)
  writeFileSync(file, `${identities.map(({ secret }) => secret).join('\n')}\n`)
  chmodSync(file, 0o600)
  if (isRoot) chownSync(file, ordinaryUser.uid, ordinaryUser.gid)
  return file
}

describe('what a call decrypts with', () => {
  const cwd = aDirectory()
  const hers = aFile(cwd, 'hers', alice)
  aFile(cwd, 'his', bob)
  const context = (env: Record<string, string> = {}) => aContext({ cwd, env })

  it('is in the files that it names, and else in that of PGBK_IDENTITY_FILE', () =>
    asOrdinaryUser(async () => {
      const world = context({ PGBK_IDENTITY_FILE: hers })
      expect(await identitiesOf(['his', 'hers'], world)()).toEqual([bob, alice])
      expect(await identitiesOf(['his'], world)()).toEqual([bob])
      expect(await identitiesOf([], world)()).toEqual([alice])
      expect(await identitiesOf([], context())()).toEqual([])
    }))

  it('is read when it is needed, and once', async () => {
    const identities = identitiesOf(['none'], context())
    const error = await thrownBy(identities)
    expect(error).toMatchObject({ code: 'config', message: expect.stringContaining('none: ENOENT') })
    writeFileSync(join(cwd, 'none'), '')
    expect(await thrownBy(identities)).toBe(error)
  })

  it('is also what a store names', () =>
    asOrdinaryUser(async () => {
      const given = { ...context(), identities: async () => [bob] }
      expect(await withIdentitiesIn(hers, given)()).toEqual([bob, alice])
      expect(await withIdentitiesIn(undefined, given)()).toEqual([bob])
    }))

  it('is in a file whose passphrase is asked for once, by whatever names it', async () => {
    const file = join(cwd, 'closed')
    writeFileSync(file, await protectedBy('open it', alice.secret))
    chmodSync(file, 0o600)
    if (isRoot) chownSync(file, ordinaryUser.uid, ordinaryUser.gid)
    const asked: string[] = []
    const askSecret = async (question: string) => {
      asked.push(question)
      return 'open it'
    }
    const world = { ...context(), askSecret }
    await asOrdinaryUser(async () => {
      const identities = identitiesOf(['closed', file], world)
      expect(await withIdentitiesIn(file, { ...world, identities })()).toEqual([alice])
      expect(await withIdentitiesIn(join(cwd, 'his'), { ...world, identities })()).toEqual([alice, bob])
    })
    expect(asked).toEqual([`Passphrase of ${file}: `])
  })

  it('is asked for once, however many open the same store', () =>
    asOrdinaryUser(async () => {
      const given = { ...context(), identities: async () => [bob] }
      const first = withIdentitiesIn(hers, given)
      expect(withIdentitiesIn(hers, { ...given })).toBe(first)
      expect(withIdentitiesIn(join(cwd, 'his'), given)).not.toBe(first)
    }))
})
