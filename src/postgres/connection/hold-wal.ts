import { PgbkError } from '../../errors.js'
import { startStdinBound } from '../../system/program/start-stdin-bound.js'
import { replicationOptions } from '../sql/session-pins.js'
import { connectionArgs } from './connection.js'
import { connectionHint } from './connection-hint.js'
import type { Psql } from './psql.js'

/** WAL that a server keeps. */
interface HeldWal {
  /** Lets it go: nothing of it is left on the server. */
  release(): Promise<void>
}

/**
 * Has a server keep all WAL from now on, by a temporary slot on a connection of its own: it goes with that, and that with this process, in
 * whatever way either ends (protocol-replication, CREATE_REPLICATION_SLOT).
 * @param slot its name: lower-case letters, digits and underscores.
 * @throws {PgbkError} `unreachable` when there is no connection, `refused` when there can be no such slot.
 */
export async function holdWal(psql: Psql, slot: string, major: number): Promise<HeldWal> {
  const { connection, signal } = psql
  const options = replicationOptions(major, connection.parameters.options)
  const args = [
    ...['--no-psqlrc', '--no-align', '--tuples-only', '--quiet', '--set=ON_ERROR_STOP=1'],
    `--command=CREATE_REPLICATION_SLOT "${slot}" TEMPORARY PHYSICAL RESERVE_WAL`,
    '--file=-',
    ...connectionArgs(connection, { replication: 'true', dbname: 'replication', options }),
  ]
  const held = await startStdinBound(psql.program, args, { env: connection.env, ...(signal && { signal }) })
  if (held.firstLine !== undefined) return { release: held.end }
  const said = held
    .stderr()
    .replace(/^psql:( error:)? /gm, '')
    .trim()
  throw new PgbkError(
    /^ERROR: /.test(said) ? 'refused' : 'unreachable',
    `the server does not keep its WAL for the backup: ${said || 'the connection has ended'}`,
    { facts: { said }, hint: connectionHint(said, { ...connection, systemUser: psql.systemUser }) },
  )
}
