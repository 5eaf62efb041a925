import type { ServerFacts } from '../postgres/server/server-facts.js'
import { formatBytes } from '../text/format.js'
import { knownSize } from './check-disk.js'

/** The first thing that a person wants to know: which server is that? */
export function serverLine(facts: ServerFacts): string {
  const name =
    facts.cluster_name === ''
      ? `cluster ${facts.system_identifier}`
      : `cluster ${facts.cluster_name} (${facts.system_identifier})`
  const databases = facts.databases.filter(({ allows_connections }) => allows_connections).length
  const place = facts.host.startsWith('/')
    ? `socket ${facts.host}, port ${facts.port}`
    : `${facts.host}:${facts.port}`
  const role = facts.in_recovery ? ', a standby' : ''
  return `PostgreSQL ${facts.version} at ${place}, ${name}${role}, ${formatBytes(knownSize(facts))} in ${databases} databases`
}
