import { endOfLog } from '../../postgres/local/server-log.js'

/** What a file server has said that has ended by itself, and the supervisor of it; undefined when it has not. */
export function fileServerFailure(log: string): string | undefined {
  const text = endOfLog(log) ?? ''
  const [, status] =
    /^pgbk: the file server of the working copy has ended with (status \d+)$/m.exec(text) ?? []
  if (status === undefined) return undefined
  const [, reason] = /^pgbk: the file server cannot go on: (.*)$/m.exec(text) ?? []
  return `its file server has ended (${reason ?? status})`
}
