import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { aFreePort } from './places.js'
import { attempt, binOf, run } from './programs.js'
import { until } from './traces.js'
import { asUser } from './users.js'

/** A server that was started by a command of a README. */
export interface OpenedByReadme {
  /** Runs a statement by the psql line of the README. */
  psql(statement: string): Promise<string>
  stop(): Promise<void>
}

/**
 * Types the commands of a snapshot's README into a shell of the ordinary user: `postgres -D conf`, or the line that `lineOf`
 * finds in it, and later `psql`. Only the port is another one.
 */
export async function byReadme(
  snapshot: string,
  major: number,
  lineOf: (readme: string) => string = startLine,
): Promise<OpenedByReadme> {
  const readme = readFileSync(join(snapshot, 'README'), 'utf8')
  const port = await aFreePort()
  const env = { PATH: `${binOf(major)}:/usr/local/bin:/usr/bin:/bin` }
  const shell = [...asUser(), '/bin/sh', '-c', `exec ${lineOf(readme)} -p ${port}`]
  const [file = '', ...args] = shell
  const child = execa(file, args, { cwd: snapshot, env, reject: false, stdin: 'ignore', all: true })
  const stop = async () => {
    child.kill('SIGINT')
    await child
  }
  const connect = psqlLine(readme).replace('-p 5432', `-p ${port}`)
  const psql = async (statement: string) =>
    (await run(['/bin/sh', '-c', `${connect} -XAtq -c "$0"`, statement], { env })).stdout
  const isReady = async () => {
    if (child.exitCode !== null) throw new Error(`the server does not start:\n${(await child).all}`)
    const question = `${connect} -XAtq -c 'select pg_is_in_recovery()'`
    return (await attempt(['/bin/sh', '-c', question], { env })).stdout === 'f'
  }
  try {
    await until(`${connect} answers`, isReady)
  } catch (error) {
    await stop()
    throw error
  }
  return { psql, stop }
}

function startLine(readme: string): string {
  return lineIn(readme, /^ {2}(postgres -D conf)$/m)
}

/** The line that goes to a moment, with this one in place of the example's. */
export function targetLine(time: string): (readme: string) => string {
  return (readme) => {
    const line = lineIn(readme.replace(/\\\n */g, ''), /^ {2}(postgres -D conf -c recovery_target.*)$/m)
    return line.replace(/recovery_target_time='[^']*'/, `recovery_target_time='${time}'`)
  }
}

function psqlLine(readme: string): string {
  return lineIn(readme, /^ {2}(psql -h \/tmp .*)$/m)
}

function lineIn(text: string, pattern: RegExp): string {
  const line = pattern.exec(text)?.[1]
  if (line === undefined) throw new Error(`the README has no line like ${pattern}:\n${text}`)
  return line
}
