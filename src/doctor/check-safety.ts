import { join } from 'node:path'
import type { Context } from '../context.js'
import { jsonAnswer } from '../postgres/connection/json-answer.js'
import { query } from '../postgres/connection/psql.js'
import { programOf } from '../postgres/programs/find.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { majorVersion } from '../postgres/server/server-facts.js'
import { sql } from '../postgres/sql/sql.js'
import { v } from '../schema.js'
import { formatDuration } from '../text/format.js'
import { shellWord } from '../text/shell-word.js'
import { type Check, ok, warning } from './check.js'

const schema = v.object({
  fsync: v.boolean(),
  full_page_writes: v.boolean(),
  /** ms since 1970, by the server's clock. */
  now: v.number(),
})

const safetyQuery = sql`SELECT pg_catalog.jsonb_build_object(
  'fsync', pg_catalog.current_setting('fsync') = 'on',
  'full_page_writes', pg_catalog.current_setting('full_page_writes') = 'on',
  'now', (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::bigint);`

const largestDifferenceMs = 2000

/** What a server may well have otherwise, and regret. */
export async function checkSafety(server: ConnectedServer, { now }: Context): Promise<Check[]> {
  const before = now().getTime()
  const facts = jsonAnswer(schema, await query(server.psql, safetyQuery))
  const after = now().getTime()
  return [
    checkSetting('full_page_writes', facts, 'a crash can leave torn pages'),
    checkSetting('fsync', facts, 'a crash of the machine can lose the cluster'),
    checkSums(server),
    checkClock(facts.now, before, after),
  ]
}

function checkSetting(
  name: 'fsync' | 'full_page_writes',
  facts: v.InferOutput<typeof schema>,
  danger: string,
): Check {
  if (facts[name]) return ok(name, 'on')
  return warning(
    name,
    `off: ${danger}`,
    `As a superuser:\n  ALTER SYSTEM SET ${name} = on;\n  SELECT pg_reload_conf();`,
  )
}

function checkSums({ facts, installations }: ConnectedServer): Check {
  if (facts.data_checksums) return ok('checksums', 'on: damaged pages are found while they are copied')
  const program = programOf(majorVersion(facts), 'pg_checksums', installations) ?? 'pg_checksums'
  const directory = facts.data_directory ?? 'DATA-DIRECTORY'
  return warning(
    'checksums',
    'off: damaged pages are copied unnoticed',
    `While the server is stopped, as its user:\n  ${shellWord(join(program))} --enable --pgdata=${shellWord(directory)}`,
  )
}

/** The real difference lies between what it would be if all the time went by before the server looked, or after. */
function checkClock(server: number, before: number, after: number): Check {
  const difference = server > after ? server - after : server < before ? before - server : 0
  if (difference < largestDifferenceMs) return ok('clock', 'like that of the server')
  const direction = server > after ? 'behind' : 'ahead of'
  return warning(
    'clock',
    `this machine is ${formatDuration(difference)} ${direction} the server: ages and windows are wrong by that much`,
    'Let both machines follow a time server (chrony, systemd-timesyncd).',
  )
}
