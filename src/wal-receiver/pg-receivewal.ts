import { join } from 'node:path'
import { type Connection, connectionArgs } from '../postgres/connection/connection.js'
import { isLasting } from '../postgres/connection/connection-hint.js'
import type { Installation } from '../postgres/programs/find.js'
import { type SigintBoundProgram, startSigintBound } from '../system/program/start-sigint-bound.js'

/** Why a pg_receivewal ended. */
type EndKind = 'gap' | 'slot-in-use' | 'forked' | 'disk-full' | 'refused' | 'lost'

export interface ReceiverEnd {
  kind: EndKind
  /** In its own words, in one line. */
  message: string
  /** The segment that the server has no more, or where its history leaves ours. */
  subject: string | undefined
}

export interface RunningReceiver extends SigintBoundProgram {
  /** Why it ended, once it has. */
  end(): ReceiverEnd
}

/** A dead network is noticed within half a minute; what the user has set counts more. */
const keepalives = {
  keepalives_idle: '10',
  keepalives_interval: '5',
  keepalives_count: '4',
  tcp_user_timeout: '30000',
}

/**
 * The command line of pg_receivewal. With --synchronous it flushes what it gets at once, and the slot's restart_lsn tells
 * everybody, whatever the rights of the role, how far that is. The end of a segment it tells only with its next status: hence every
 * second.
 */
export function receivewalArgs(connection: Connection, directory: string, slot: string): string[] {
  const parameters = { ...keepalives, ...connection.parameters }
  return [
    `--directory=${directory}`,
    `--slot=${slot}`,
    '--no-loop',
    '--synchronous',
    '--status-interval=1',
    ...connectionArgs({ ...connection, parameters }),
  ]
}

/** Starts pg_receivewal; it goes on after the newest complete segment in the directory. */
export async function startReceivewal(
  { bin }: Installation,
  connection: Connection,
  directory: string,
  slot: string,
): Promise<RunningReceiver> {
  const said: string[] = []
  const kept = await startSigintBound(
    join(bin, 'pg_receivewal'),
    receivewalArgs(connection, directory, slot),
    {
      env: connection.env,
      onErrorLine: (line) => {
        said.push(line)
        if (said.length > 20) said.shift()
      },
    },
  )
  return { ...kept, end: () => explainEnd(said) }
}

const kinds: [RegExp, EndKind][] = [
  [/requested WAL segment ([0-9A-F]{24}) has already been removed/, 'gap'],
  [/history forked from timeline \d+ at ([0-9A-F]+\/[0-9A-F]+)/, 'forked'],
  [/replication slot ".*" is active for PID (\d+)/, 'slot-in-use'],
  [/No space left on device|Disk quota exceeded/, 'disk-full'],
]

/** What its last words mean. */
export function explainEnd(said: string[]): ReceiverEnd {
  const text = said.join('\n')
  const lines = said
    .filter(
      (line) =>
        !/not renaming|^pg_receivewal: error: disconnected|^\s|terminated before stop point/.test(line),
    )
    .map((line) => line.replace(/^pg_receivewal: (error: |fatal: )?/, ''))
  const message = [...new Set(lines)].slice(-2).join('; ') || 'the connection was closed'
  for (const [pattern, kind] of kinds) {
    const match = pattern.exec(text)
    if (match) return { kind, message, subject: match[1] }
  }
  return { kind: lines.some(isLasting) ? 'refused' : 'lost', message, subject: undefined }
}
