import type { Context } from '../context.js'
import type { Identity } from '../encryption/identity.js'
import { trustOf } from '../system/paths/trusted-path.js'
import { readIdentityFile } from './trusted-file.js'

/** What this call may decrypt with: read, and its passphrases asked for, when it is needed first. */
export interface Identities {
  /** @throws {PgbkError} `config`. */
  load(): Promise<readonly Identity[]>
}

/** @param files their absolute paths. */
export function identitiesFrom(
  files: readonly string[],
  context: Pick<Context, 'user' | 'askSecret'>,
): Identities {
  let loaded: Promise<readonly Identity[]> | undefined
  return {
    load: () => {
      loaded ??= readAll(files, context)
      return loaded
    },
  }
}

async function readAll(
  files: readonly string[],
  { user, askSecret }: Pick<Context, 'user' | 'askSecret'>,
): Promise<Identity[]> {
  if (files.length === 0) return []
  const { identitiesIn } = await import('../encryption/identity-file.js')
  const found: Identity[] = []
  for (const file of files)
    found.push(...(await identitiesIn(readIdentityFile(file, trustOf(user())), file, askSecret)))
  return found
}
