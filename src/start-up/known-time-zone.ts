import { join } from 'node:path'
import type { Context } from '../context.js'
import { runProgram } from '../system/program/run-program.js'

/** Which packages have the time zones that are missing. */
export const timeZoneHint =
  'Debian 13, Ubuntu 24.04 and newer have the older names in the package tzdata-legacy, all others in tzdata'

/**
 * Whether a server of these programs starts with a time zone: what it knows depends on the machine. The server program itself is asked, as
 * only that knows where it looks.
 * @param bin the directory of the programs.
 */
export async function knowsTimeZone(zone: string, bin: string, context: Context): Promise<boolean> {
  const args = ['-C', 'TimeZone', '-D', '/', '-c', 'config_file=/dev/null', '-c', `TimeZone=${zone}`]
  const { status, stderr } = await runProgram(join(bin, 'postgres'), args, {
    kind: 'server',
    env: context.env,
    signal: context.signal,
  })
  return status === 0 || !/invalid value for parameter/.test(stderr)
}
