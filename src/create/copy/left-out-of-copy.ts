import { lstatSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupLayout } from '../../catalog/layout.js'
import type { PgbkError } from '../../errors.js'
import { dataLeftOut, lossOf, pathIn } from '../../postgres/server/left-out.js'
import type { ServerFacts } from '../../postgres/server/server-facts.js'

type KnownPlaces = Pick<ServerFacts, 'databases' | 'tablespaces'>

/** Why a backup without this path would be none; undefined where nothing of PostgreSQL's is lost with it. */
export function refusalOf(path: string, facts: KnownPlaces): PgbkError | undefined {
  return lossOf(path) === 'data' ? dataLeftOut(path, whoseIs(path, facts)) : undefined
}

/**
 * What the server has not sent, going by its notices: in them a path may also be named for another reason, but then it is in the copy.
 * @param isThere whether there is anything in the copy at a path.
 * @returns the paths below the data directory with which no data is lost, and the notices that are about something else.
 * @throws {PgbkError} `refused` when data is missing.
 */
export function leftOutOfCopy(
  notices: string[],
  isThere: (path: string) => boolean,
  facts: KnownPlaces,
): { leftOut: string[]; others: string[] } {
  const leftOut: string[] = []
  const others: string[] = []
  for (const notice of notices) {
    const path = pathIn(notice)
    if (path === undefined || isThere(path)) others.push(notice)
    else leftOut.push(path)
  }
  for (const path of leftOut) {
    const refusal = refusalOf(path, facts)
    if (refusal) throw refusal
  }
  return { leftOut: leftOut.filter((path) => lossOf(path) !== 'nothing'), others }
}

/** Whether there is anything at a path that a notice names, in a copy as directories. */
export function isInCopy(path: string, layout: BackupLayout, { tablespaces }: KnownPlaces): boolean {
  const around = tablespaces.find(({ location }) => path.startsWith(`${location}/`))
  const place = around
    ? join(layout.tablespaceLinks, String(around.oid), path.slice(around.location.length))
    : join(layout.data, path)
  try {
    return lstatSync(place, { throwIfNoEntry: false }) !== undefined
  } catch {
    // A directory above it is none in the copy.
    return false
  }
}

/** Whose data is at a path, as far as the catalogues tell. */
function whoseIs(path: string, { databases, tablespaces }: KnownPlaces): string | undefined {
  const [, spaceOid] = /^pg_tblspc\/(\d+)/.exec(path) ?? []
  const space = tablespaces.find(
    ({ oid, location }) => String(oid) === spaceOid || path.startsWith(`${location}/`),
  )
  const [, databaseOid] = /(?:^base|\/PG_[^/]+)\/(\d+)(?:\/|$)/.exec(path) ?? []
  const database = databases.find(({ oid }) => String(oid) === databaseOid)
  const names = [database && `database ${database.name}`, space && `tablespace ${space.name}`]
  return names.filter(Boolean).join(', ') || undefined
}
