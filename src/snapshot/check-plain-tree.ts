import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import { PgbkError } from '../errors.js'
import { kindOf } from '../system/files/read-small.js'
import { strangeEntries } from './plain-tree.js'

/**
 * Makes sure that nothing in a snapshot of whatever author leads out of it: there are files, directories, and links of tablespaces to
 * where pgbk has them. Who moves or reads what is in there afterwards does so nowhere else.
 * @throws {PgbkError} `damaged`; the signal's reason when aborted.
 */
export async function checkPlainTree(snapshot: string, signal: AbortSignal): Promise<void> {
  const data = lstatSync(join(snapshot, 'data'), { throwIfNoEntry: false })
  if (data && !data.isDirectory()) throw strange(`data is ${kindOf(data)}`)
  const found = await strangeEntries(snapshot, { linkTarget, mayBeLinked: true, signal })
  if (found.length > 0) throw strange(found.map(({ name, kind }) => `${name} is ${kind}`).join('; '))
}

function linkTarget(name: string): string | undefined {
  const [, oid] = /^data\/pg_tblspc\/(\d+)$/.exec(name) ?? []
  return oid === undefined ? undefined : `../../tablespaces/${oid}`
}

function strange(reason: string): PgbkError {
  return new PgbkError('damaged', `the snapshot is not what pgbk makes: ${reason}`, {
    facts: { reason },
    hint: 'Somebody has made or changed it: use another backup (pgbk list).',
  })
}
