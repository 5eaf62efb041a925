import type { RunLayout } from '../../catalog/layout.js'
import type { PgbkError } from '../../errors.js'
import { endOfLog } from '../../postgres/local/server-log.js'

/** What the set-up of a launch that failed has said. */
export function failureIn({ log }: Pick<RunLayout, 'log'>, error: PgbkError): string {
  return fileServerFailure(log) || error.facts.said || error.message
}

/** What a file server has said that has ended by itself, and the supervisor of it; undefined when it has not. */
export function fileServerFailure(log: string): string | undefined {
  const text = endOfLog(log) ?? ''
  const [, status] =
    /^pgbk: the file server of the working copy has ended with (status \d+)$/m.exec(text) ?? []
  if (status === undefined) return undefined
  const [, reason] = /^pgbk: the file server cannot go on: (.*)$/m.exec(text) ?? []
  return `its file server has ended (${reason ?? status})`
}
