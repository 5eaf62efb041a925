import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { localPath } from '../catalog/source-place.js'
import type { Task } from '../config/load.js'
import { checkIdentityPlace } from '../config/trusted-file.js'
import { newIdentity } from '../encryption/new-identity.js'
import type { Recipient } from '../encryption/recipient.js'
import { PgbkError, systemCode, systemFailure } from '../errors.js'
import { syncPath } from '../system/files/durable.js'
import { trustOf } from '../system/paths/trusted-path.js'

export interface NewKey {
  /** Its absolute path. */
  file: string
  recipient: Recipient
}

const usualName = 'pgbk-key.txt'

/**
 * Writes a new identity, as age-keygen does, where there is no file yet, for its owner alone.
 * @param name `pgbk-key.txt` in the current directory, if none is given.
 * @throws {PgbkError} `usage` when there is a file already; `config` where others could put another one there.
 */
export async function newKey(name: string | undefined, { context }: Task): Promise<NewKey> {
  const file = localPath(name ?? usualName, context.cwd)
  checkIdentityPlace(file, trustOf(context.user()))
  const { secret, recipient } = await newIdentity()
  await writeNew(file, `# created: ${context.now().toISOString()}\n# public key: ${recipient}\n${secret}\n`)
  return { file, recipient }
}

async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, 'wx', 0o600).catch((cause) => {
    if (systemCode(cause) === 'EEXIST') throw isThere(file)
    throw systemFailure(`cannot write ${file}`, cause)
  })
  try {
    await handle.writeFile(text)
    await handle.sync()
  } catch (cause) {
    await rm(file, { force: true })
    throw systemFailure(`cannot write ${file}`, cause)
  } finally {
    await handle.close()
  }
  await syncPath(dirname(file))
}

function isThere(file: string): PgbkError {
  return new PgbkError('usage', `${file} is there already, and no key is ever overwritten`, {
    hint: 'Name another file. What was encrypted for the key in this one can be read with it alone.',
  })
}
