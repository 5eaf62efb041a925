import type { LocalBackup } from '../catalog/backup.js'
import type { RootLayout } from '../catalog/layout.js'
import type { Context } from '../context.js'
import type { Psql } from '../postgres/connection/psql.js'
import type { Client } from '../postgres/server/connect-to-server.js'
import type { WalServerFacts } from '../postgres/server/wal-server.js'
import type { ReceiverState } from '../wal-archive/receiver-state.js'
import type { WantedCompression } from './choose-compression.js'
import type { DedupedLog } from './deduped-log.js'

export interface ReceiverOptions {
  root: RootLayout
  client: Client
  slot: string
  /** Undefined for none. */
  compression: WantedCompression | undefined
}

/** All that the parts of a receiver share. */
export interface ReceiverSession extends ReceiverOptions {
  context: Context
  log: DedupedLog
  receiverReport: ReceiverReport
  /** What it has told already: backups of whose broken archives, and why segments are not compressed as they should be. */
  warned: Set<string>
  /** Whether WAL has come since it was started. */
  hasReceived: boolean
}

type Status = ReceiverState['status']

/** What the server says, or why it says nothing. */
export type ServerAnswer = { facts: WalServerFacts; silence: null } | { facts: undefined; silence: string }

/** What the receiver tells others about itself, in a file. */
export interface ReceiverReport {
  /** The backup into whose archive this or an earlier receiver wrote last. */
  readonly backup: string | null
  /** Whether the server has ever answered. */
  readonly hasAnswered: boolean
  noteServer(facts: WalServerFacts): void
  /** From now on it receives into this backup's archive. On disk when this returns. */
  receiveFor(backup: LocalBackup): Promise<void>
  update(status: Status, problem: string | null): Promise<void>
  /** Tells that one archive gets what another has, for as long as the work lasts. Returns what the work does. */
  handOver<T>(to: LocalBackup, work: () => Promise<T>): Promise<T>
  /**
   * Asks the server how far it is, and writes the report; why it does not answer is then the problem.
   * @param isHere whether the archive reaches to a position.
   */
  poll(psql: Psql, status: Status, isHere: (lsn: string) => boolean): Promise<ServerAnswer>
  end(): Promise<void>
}
