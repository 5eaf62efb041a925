import { localPath } from '../catalog/source-place.js'
import type { Context, Environment, Identity } from '../context.js'
import { trustOf } from '../system/paths/trusted-path.js'
import { readIdentityFile } from './trusted-file.js'

type World = Pick<Context, 'cwd' | 'env' | 'user' | 'askSecret'>

/** What a call may decrypt with: the identities in the files that it names, else in that of PGBK_IDENTITY_FILE; read once. */
export function identitiesOf(named: readonly string[], world: World): Context['identities'] {
  const { PGBK_IDENTITY_FILE: usual, [handed]: secrets } = world.env
  const files = named.length > 0 || !usual ? named : [usual]
  return once(() => (secrets ? handedOver(secrets) : readIdentities(files, world)))
}

/** The same, and those in a file more. @param file undefined where there is none. */
export function withIdentitiesIn(
  file: string | undefined,
  context: Pick<Context, 'identities' | 'cwd' | 'user' | 'askSecret'>,
): Context['identities'] {
  if (file === undefined) return context.identities
  return once(async () => [...(await context.identities()), ...(await readIdentities([file], context))])
}

/** In the environment of a pgbk that this one starts: nobody but its user sees that, and nobody could be asked for a passphrase there. */
const handed = 'PGBK_HANDED_IDENTITIES'

/** The environment of a further pgbk, of the same user, that is to decrypt with what this one decrypts with. */
export async function handingOver({
  env,
  identities,
}: Pick<Context, 'env' | 'identities'>): Promise<Environment> {
  const known = await identities()
  return { ...env, [handed]: known.map(({ secret }) => secret).join('\n') }
}

async function handedOver(secrets: string): Promise<Identity[]> {
  const { identitiesIn } = await import('../encryption/identity-file.js')
  return identitiesIn(Buffer.from(secrets), 'what was handed over', undefined)
}

function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined
  return () => {
    done ??= work()
    return done
  }
}

/**
 * The identities in files, in their order.
 * @param files relative to the current directory.
 * @throws {PgbkError} `config` for one that others could read, that is none, or whose passphrase nobody tells.
 */
export async function readIdentities(
  files: readonly string[],
  { cwd, user, askSecret }: Omit<World, 'env'>,
): Promise<Identity[]> {
  if (files.length === 0) return []
  const { identitiesIn } = await import('../encryption/identity-file.js')
  const found: Identity[] = []
  for (const name of files) {
    const file = localPath(name, cwd)
    found.push(...(await identitiesIn(readIdentityFile(file, trustOf(user())), file, askSecret)))
  }
  return found
}
