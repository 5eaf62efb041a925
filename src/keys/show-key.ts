import { localPath } from '../catalog/source-place.js'
import { identitiesFrom } from '../config/identities.js'
import type { Task } from '../config/load.js'
import type { Recipient } from '../encryption/recipient.js'

export interface ShownKey {
  /** Its absolute path. */
  file: string
  recipients: Recipient[]
}

/** For whom something must be encrypted, so that a file of identities can decrypt it. @throws {PgbkError} as `Identities.load`. */
export async function showKey(name: string, { context }: Task): Promise<ShownKey> {
  const file = localPath(name, context.cwd)
  const identities = await identitiesFrom([file], context).load()
  return { file, recipients: identities.map(({ recipient }) => recipient) }
}
