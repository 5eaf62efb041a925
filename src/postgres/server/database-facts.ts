import { messageOf } from '../../errors.js'
import type { Progress } from '../../progress.js'
import { v } from '../../schema.js'
import { jsonAnswer } from '../connection/json-answer.js'
import { type Psql, query } from '../connection/psql.js'
import { sql } from '../sql/sql.js'
import { isInvalid, type ServerFacts } from './server-facts.js'

export interface Extension {
  name: string
  version: string
  database: string
}

export interface InsideDatabases {
  extensions: Extension[]
  /** How many unlogged tables each database has; one that could not be asked is absent. */
  unloggedTables: Map<string, number>
}

const insideSchema = v.object({
  extensions: v.array(v.object({ name: v.string(), version: v.string() })),
  unlogged_tables: v.number(),
})

const insideQuery = sql`
SELECT pg_catalog.json_build_object(
  'extensions', (SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_object('name', extname, 'version', extversion)
      ORDER BY extname), '[]')
    FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'),
  'unlogged_tables', (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class WHERE relpersistence = 'u' AND relkind = 'r'));
`

const atOnce = 4

/** Asks every database that this role may connect to. One that refuses is left out and said. */
export async function readInsideDatabases(
  psql: Psql,
  facts: ServerFacts,
  progress: Progress,
): Promise<InsideDatabases> {
  const inside: InsideDatabases = { extensions: [], unloggedTables: new Map() }
  const waiting = facts.databases.filter((database) => database.can_connect)
  const refused: string[] = []
  const worker = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { name, raw_name } = next
      try {
        addAnswer(inside, name, await query(psql, insideQuery, { database: raw_name }))
      } catch (error) {
        psql.signal?.throwIfAborted()
        refused.push(`${name} (${messageOf(error)})`)
      }
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  inside.extensions.sort((a, b) => (a.database + a.name < b.database + b.name ? -1 : 1))
  for (const { name } of facts.databases.filter(isInvalid))
    progress.warn(
      `database ${name} is invalid, what an interrupted DROP DATABASE has left behind: nobody can connect to it, here or in the backup; drop it`,
    )
  if (refused.length > 0)
    progress.warn(`the record will not say which extensions these databases have: ${refused.join(', ')}`)
  return inside
}

function addAnswer(inside: InsideDatabases, database: string, answer: string): void {
  const { extensions, unlogged_tables } = jsonAnswer(insideSchema, answer)
  for (const { name, version } of extensions) inside.extensions.push({ name, version, database })
  inside.unloggedTables.set(database, unlogged_tables)
}
