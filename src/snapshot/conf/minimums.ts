/**
 * Settings by which start-up refuses, or loses data, where they are lower than they were on the server: recovery needs them, replication
 * origins and prepared transactions must find room again (for whose locks the workers of autovacuum make some too), commit timestamps
 * are removed where they are off. docs/snapshot-configuration.md says for each what happens otherwise, with PostgreSQL's file and line.
 */
export const recoveryMinimums = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
  'max_pred_locks_per_transaction',
  'max_replication_slots',
  'max_active_replication_origins',
  'autovacuum_max_workers',
  'autovacuum_worker_slots',
  'track_commit_timestamp',
] as const

/** Those that count at every start, and not only while WAL is replayed; with PostgreSQL's own defaults. */
export const lastingMinimums: Readonly<Record<string, number>> = {
  max_prepared_transactions: 0,
  max_pred_locks_per_transaction: 64,
  max_replication_slots: 10,
  max_active_replication_origins: 10,
  autovacuum_max_workers: 3,
  autovacuum_worker_slots: 16,
  track_commit_timestamp: 0,
}

/**
 * Three connections are kept for superusers, and a server does not start where there are no others (PostmasterMain in postmaster.c);
 * and it warns of fewer slots for autovacuum than it may have workers.
 */
const least: Readonly<Record<string, number>> = { max_connections: 10, autovacuum_worker_slots: 3 }

/** A value of one of them as a number, which counts as more the higher it is: 0 and 1 for off and on. Undefined for what is no such value. */
export function minimumOf(value: string): number | undefined {
  if (/^(on|off)$/.test(value)) return Number(value === 'on')
  return /^\d{1,10}$/.test(value) ? Number(value) : undefined
}

/** As a configuration says it. */
export function minimumText(name: string, value: number): string {
  return name === 'track_commit_timestamp' ? (value > 0 ? 'on' : 'off') : String(value)
}

/** What is known of them in several places, each with the highest value. */
export function highestOf(...all: Readonly<Record<string, number>>[]): Record<string, number> {
  const highest: Record<string, number> = {}
  for (const [name, value] of all.flatMap((one) => Object.entries(one)))
    highest[name] = Math.max(value, highest[name] ?? 0)
  return highest
}

/** The lines of a configuration for a copy of a server that ran with these values. */
export function minimumLines(minimums: Readonly<Record<string, number>>): string[] {
  return recoveryMinimums.flatMap((name) => {
    const value = minimums[name]
    if (value === undefined) return []
    return [`${name} = ${minimumText(name, Math.max(value, least[name] ?? 0))}`]
  })
}

/** Those of them that settings, by name, give a value. From 18 on the slots for autovacuum count, and no longer the workers. */
export function minimumsAmong(
  settings: Iterable<readonly [name: string, value: string]>,
): Record<string, number> {
  const found: Record<string, number> = {}
  for (const [name, value] of settings) {
    const minimum = recoveryMinimums.some((one) => one === name) ? minimumOf(value) : undefined
    if (minimum !== undefined) found[name] = minimum
  }
  if (found.autovacuum_worker_slots !== undefined) delete found.autovacuum_max_workers
  return found
}
