import type { Dirent } from 'node:fs'
import { opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context.js'
import { isOnThisMachine } from '../create/check-disk.js'
import { refusalOf } from '../create/copy/left-out-of-copy.js'
import { readSystemIdentifiers } from '../postgres/local/control-file.js'
import { lossOf } from '../postgres/server/left-out.js'
import { isOutside, majorVersion, type ServerFacts } from '../postgres/server/server-facts.js'
import { type Check, failed, ok, skipped, warning } from './check.js'

const name = 'data directory'

/** More than these nobody reads. */
const most = 10

/**
 * Looks for what PostgreSQL will leave out of a backup, which only the file system knows: where the data directory is on this machine
 * and this user may look into it.
 */
export async function checkDataDirectory(facts: ServerFacts, { signal }: Context): Promise<Check> {
  if (!(await isHere(facts)))
    return skipped(name, 'cannot be seen from here: create finds links in it, and refuses them')
  const others: string[] = []
  for await (const path of leftOut(facts, signal)) {
    const refusal = refusalOf(path, facts)
    if (refusal) return failed(name, refusal)
    if (lossOf(path) === 'unknown' && others.length < most) others.push(path)
  }
  if (others.length === 0) return ok(name, 'nothing in it is left out of a backup')
  return warning(name, `PostgreSQL leaves links and special files out of a backup: ${others.join(', ')}`)
}

async function isHere(facts: ServerFacts): Promise<boolean> {
  if (facts.data_directory === null || !isOnThisMachine(facts)) return false
  try {
    return (await readSystemIdentifiers(facts.data_directory)).includes(facts.system_identifier)
  } catch {
    return false
  }
}

/** In the order of the directories, named as in the server's notices. */
async function* leftOut(facts: ServerFacts, signal: AbortSignal): AsyncGenerator<string> {
  const { data_directory: data, tablespaces } = facts
  if (data !== null) yield* below(data, '', signal)
  for (const { location } of tablespaces.filter(isOutside)) yield* leftOutOfSpace(location, facts, signal)
}

async function* leftOutOfSpace(
  location: string,
  facts: ServerFacts,
  signal: AbortSignal,
): AsyncGenerator<string> {
  for await (const version of entriesOf(location)) {
    if (!version.name.startsWith(`PG_${majorVersion(facts)}_`)) continue
    if (!version.isDirectory()) yield join(location, version.name)
    else for await (const path of below(location, version.name, signal)) yield join(location, path)
  }
}

async function* below(top: string, directory: string, signal: AbortSignal): AsyncGenerator<string> {
  signal.throwIfAborted()
  for await (const entry of entriesOf(join(top, directory))) {
    const path = join(directory, entry.name)
    if (neverSent.test(entry.name) || path === 'pg_wal') continue
    if (entry.isDirectory()) yield* below(top, path, signal)
    else if (!entry.isFile() && directory !== 'pg_tblspc') yield path
  }
}

/** Temporary files, and directories that arrive empty, whatever they are (excludeDirContents in basebackup.c). */
const neverSent = /^(?:pgsql_tmp.*|pg_(?:stat_tmp|replslot|dynshmem|notify|serial|snapshots|subtrans))$/

/** What cannot be looked at, or goes meanwhile, is passed over. */
async function* entriesOf(directory: string): AsyncGenerator<Dirent> {
  try {
    yield* await opendir(directory, { bufferSize: 1000 })
  } catch {}
}
