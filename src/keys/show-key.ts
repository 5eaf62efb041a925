import { localPath } from '../catalog/source-place.js'
import { readIdentities } from '../config/identities.js'
import type { Task } from '../config/load.js'
import type { Recipient } from '../encryption/recipient.js'

export interface ShownKey {
  /** Its absolute path. */
  file: string
  recipients: Recipient[]
}

/** For whom something must be encrypted, so that a file of identities can decrypt it. @throws {PgbkError} as `readIdentities`. */
export async function showKey(name: string, { context }: Task): Promise<ShownKey> {
  const file = localPath(name, context.cwd)
  const identities = await readIdentities([file], context)
  return { file, recipients: identities.map(({ recipient }) => recipient) }
}
