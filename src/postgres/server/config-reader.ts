import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { SnapshotLayout } from '../../catalog/layout.js'
import { messageOf, PgbkError } from '../../errors.js'
import { ordinaryConfFile } from '../../snapshot/conf/conf-file.js'
import { countingIn } from '../../snapshot/conf/included-files.js'
import { relativeInside } from '../../system/paths/inside.js'
import { namesIn } from '../../system/paths/names-in.js'
import { type Psql, query } from '../connection/psql.js'
import { sql } from '../sql/sql.js'

export interface RefusedFile {
  refusal: string
  isMissing: boolean
}

/** Reads configuration files where the server has them. */
export interface FileReader {
  /** `inData` is its path below the data directory when it has come from there. */
  read(path: string): Promise<{ content: Buffer; inData: string | undefined } | RefusedFile>
  /** The paths of the files in a directory that count when it is included. */
  list(directory: string): Promise<{ paths: string[] } | RefusedFile>
}

/** What has come with the base backup is not asked for; but links in the data directory have not. */
export function readerOfServer(
  psql: Psql,
  dataDirectory: string | null,
  layout: Pick<SnapshotLayout, 'data'> | undefined,
): FileReader {
  const inDataOf = (path: string) =>
    dataDirectory === null ? undefined : relativeInside(dataDirectory, path)
  let allowed: Promise<boolean> | undefined
  const mayReadBytes = () => {
    allowed ??= query(psql, bytesAllowed).then((answer) => answer.trim() === 't')
    return allowed
  }
  return {
    read: async (path) => {
      const inData = inDataOf(path)
      const content =
        layout && inData !== undefined ? ordinaryConfFile(join(layout.data, inData), layout.data) : undefined
      if (content) return { content, inData }
      return asked(psql, path, async () => {
        const answer = await query(psql, (await mayReadBytes()) ? readBytes : readText, { values: { path } })
        return { content: Buffer.from(answer, 'base64'), inData: undefined }
      })
    },
    list: async (directory) => {
      const inData = inDataOf(directory)
      const copy = layout && inData !== undefined ? join(layout.data, inData) : undefined
      const names = copy !== undefined && existsSync(copy) ? namesIn(copy) : undefined
      const pathsOf = (all: string[]) => ({ paths: countingIn(all).map((name) => join(directory, name)) })
      if (names) return pathsOf(names)
      return asked(psql, directory, async () =>
        pathsOf((await query(psql, listDirectory, { values: { path: directory } })).split('\n')),
      )
    },
  }
}

/** More bytes than a path of PostgreSQL's has (MAXPGPATH in pg_config_manual.h). */
const longestPath = 4096

async function asked<T>(psql: Psql, path: string, ask: () => Promise<T>): Promise<T | RefusedFile> {
  if (path.length > longestPath) return { refusal: 'its path is too long', isMissing: false }
  if (path.includes('\ufffd')) return { refusal: 'its name is not UTF-8', isMissing: false }
  try {
    return await ask()
  } catch (error) {
    psql.signal?.throwIfAborted()
    if (!(error instanceof PgbkError) || error.code === 'unreachable') throw error
    return {
      refusal: messageOf(error),
      isMissing: /No such file or directory/.test(error.facts.said ?? ''),
    }
  }
}

/** Roles may have been granted only one of the two functions; base64 keeps every byte of the file. */
const bytesAllowed = sql`SELECT pg_catalog.has_function_privilege('pg_catalog.pg_read_binary_file(text)', 'EXECUTE');`
const readBytes = sql`SELECT pg_catalog.encode(pg_catalog.pg_read_binary_file(:'path'), 'base64');`
const readText = sql`SELECT pg_catalog.encode(pg_catalog.convert_to(pg_catalog.pg_read_file(:'path'), 'UTF8'), 'base64');`
const listDirectory = sql`SELECT pg_catalog.pg_ls_dir(:'path');`
