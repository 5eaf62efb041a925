import { accessSync, constants } from 'node:fs'
import { localPath } from '../catalog/source-place.js'
import type { Context, Identity, SystemUser } from '../context.js'
import { PgbkError, systemCode } from '../errors.js'
import { trustOf } from '../system/paths/trusted-path.js'
import { shellWord } from '../text/shell-word.js'
import { readByOthers, readIdentityFile, sealedButRead } from './trusted-file.js'

/** What files of identities are read with. */
type World = Pick<Context, 'cwd' | 'user' | 'askSecret' | 'progress' | 'signal'>

/** Each file that a call has read, by its path: a passphrase is asked for once. */
type Files = Map<string, Promise<Identity[]>>

const filesOf = new WeakMap<Context['identities'], Files>()

/** What a call may decrypt with: the identities in the files that it names, else in that of PGBK_IDENTITY_FILE; read once. */
export function identitiesOf(
  named: readonly string[],
  world: World & Pick<Context, 'env'>,
): Context['identities'] {
  const usual = world.env.PGBK_IDENTITY_FILE
  const files: Files = new Map()
  const all = once(() => readIdentities(named.length > 0 || !usual ? named : [usual], world, files))
  filesOf.set(all, files)
  return all
}

const further = new WeakMap<Context['identities'], Map<string, Context['identities']>>()

/** The same, and those in a file more, which is read once, too. @param file undefined where there is none. */
export function withIdentitiesIn(
  file: string | undefined,
  context: World & Pick<Context, 'identities'>,
): Context['identities'] {
  if (file === undefined) return context.identities
  const known = further.get(context.identities) ?? new Map<string, Context['identities']>()
  further.set(context.identities, known)
  const both = async () => {
    const given = await context.identities()
    return eachOnce([...given, ...(await readIdentities([file], context, filesOf.get(context.identities)))])
  }
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
 * The identities in files, each once, in their order.
 * @param names relative to the current directory.
 * @param known files that were read before, to which these are added.
 * @throws {PgbkError} `config` for one that others could read, that is none, or whose passphrase nobody tells.
 */
export async function readIdentities(
  names: readonly string[],
  world: World,
  known: Files = new Map(),
): Promise<Identity[]> {
  const found: Identity[] = []
  for (const name of names) {
    const file = localPath(name, world.cwd)
    const identities = known.get(file) ?? readIdentitiesIn(file, world)
    known.set(file, identities)
    found.push(...(await identities))
  }
  return eachOnce(found)
}

async function readIdentitiesIn(file: string, world: World): Promise<Identity[]> {
  checkOpenTo(world.user(), file)
  const { identitiesIn, isSealed } = await import('../encryption/identity-file.js')
  const { content, openMode } = readIdentityFile(file, trustOf(world.user()))
  if (openMode !== undefined && !isSealed(content)) throw readByOthers(file, openMode)
  const found = await identitiesIn(content, file, world)
  if (openMode !== undefined) world.progress.warn(sealedButRead(file, openMode))
  return found
}

/** The key of who has started pgbk as root may be closed to the user whom it works as. */
function checkOpenTo({ name }: Pick<SystemUser, 'name'>, file: string): void {
  try {
    accessSync(file, constants.R_OK)
  } catch (cause) {
    if (systemCode(cause) !== 'EACCES') return // told when it is read
    throw new PgbkError('config', `user ${name} cannot read ${file}`, {
      cause,
      hint: `Started by root, pgbk works, and reads keys, as the user whom the files belong to. As root, give that user a copy where nobody else can write:\n  install -m 600 -o ${shellWord(name)} ${shellWord(file)} ~${shellWord(name)}/`,
    })
  }
}

function eachOnce(identities: readonly Identity[]): Identity[] {
  return [...new Map(identities.map((one) => [one.secret, one])).values()]
}
