import { isIP } from 'node:net'

/** Which server it is, as psql knows it, and not as the server says. */
export interface ServerPlace {
  host: string
  port: number
  /** Of several that a host's name has, the one that answered. */
  address?: string | undefined
}

/** Has psql tell the place that it has reached. */
export const placeCommands = ['\\echo :HOST', '\\echo :PORT', '\\conninfo']

/** The address is in what \conninfo says, where it is not the host itself (src/bin/psql/command.c); that is a table since 18. */
export function positionIn(told: string): ServerPlace {
  const [host = '', port = '', ...conninfo] = told.split('\n')
  const text = conninfo.join('\n')
  const address = (/^Host Address\|(.*)$/m.exec(text) ?? /\(address "([^"]*)"\) at port/.exec(text))?.[1]
  return { host, port: Number(port), address: address && isIP(address) !== 0 ? address : undefined }
}
