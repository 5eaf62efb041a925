import { existsSync } from 'node:fs'
import { execa, type Options } from 'execa'
import { asUser } from './users.js'

/** The majors that end-to-end tests run on: PGBK_TEST_MAJORS (`15 17 18`), else all that are installed here. */
export const majors: number[] = process.env.PGBK_TEST_MAJORS
  ? process.env.PGBK_TEST_MAJORS.split(/[ ,]+/).map(Number)
  : [13, 14, 15, 16, 17, 18].filter((major) => existsSync(`${binOf(major)}/initdb`))

if (majors.length === 0) {
  throw new Error('no PostgreSQL server is installed to test with: apt-get install postgresql')
}

/** Defines tests for each of the majors from this one on that are tested at all. */
export function eachMajorFrom(oldest: number, define: (major: number) => void): void {
  for (const major of majors.filter((one) => one >= oldest)) define(major)
}

/** For tests that take long, of what the majors between have shown to do as these or as `anyMajor` does. */
export const oldestAndNewest: number[] = [...new Set([Math.min(...majors), Math.max(...majors)])]

/** For tests that need no particular major. */
export const anyMajor: number = majors.includes(15) ? 15 : (majors.at(-1) as number)

export const oldestUsualNewest: number[] = majors.filter(
  (major) => major === anyMajor || oldestAndNewest.includes(major),
)

/** Where Debian has the programs of a major. */
export function binOf(major: number): string {
  return `/usr/lib/postgresql/${major}/bin`
}

export interface Ended {
  status: number | undefined
  stdout: string
  stderr: string
}

/** Runs a program to its end as the ordinary user; throws unless it succeeds. */
export async function run(command: string[], options: Options = {}): Promise<Ended> {
  const ended = await attempt(command, options)
  if (ended.status !== 0)
    throw new Error(`${command.join(' ')}: ${ended.status}\n${ended.stdout}${ended.stderr}`)
  return ended
}

/** Runs a program to its end as the ordinary user, whatever its exit status. */
export async function attempt(command: string[], options: Options = {}): Promise<Ended> {
  const [file = '', ...args] = [...asUser(), ...command]
  const result = await execa(file, args, { cwd: '/', reject: false, stdin: 'ignore', ...options })
  return { status: result.exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') }
}
