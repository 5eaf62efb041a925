import { localPath } from '../catalog/source-place.js'
import type { Context, Identity } from '../context.js'
import { trustOf } from '../system/paths/trusted-path.js'
import { readIdentityFile } from './trusted-file.js'

type World = Pick<Context, 'cwd' | 'env' | 'user' | 'askSecret'>

/** What a call may decrypt with: the identities in the files that it names, else in that of PGBK_IDENTITY_FILE; read once. */
export function identitiesOf(named: readonly string[], world: World): Context['identities'] {
  const usual = world.env.PGBK_IDENTITY_FILE
  const files = named.length > 0 || !usual ? named : [usual]
  return once(() => readIdentities(files, world))
}

const further = new WeakMap<Context['identities'], Map<string, Context['identities']>>()

/** The same, and those in a file more, which is read once, too. @param file undefined where there is none. */
export function withIdentitiesIn(
  file: string | undefined,
  context: Pick<Context, 'identities' | 'cwd' | 'user' | 'askSecret'>,
): Context['identities'] {
  if (file === undefined) return context.identities
  const known = further.get(context.identities) ?? new Map<string, Context['identities']>()
  further.set(context.identities, known)
  const both = async () => [...(await context.identities()), ...(await readIdentities([file], context))]
  const found = known.get(file) ?? once(both)
  known.set(file, found)
  return found
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
