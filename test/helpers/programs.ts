import { existsSync } from 'node:fs'
import { describe, it } from '@jest/globals'
import { execa, type Options } from 'execa'
import { needs } from './needs.js'
import { ordinaryIds } from './users.js'

/**
 * The majors that end-to-end tests run on: PGBK_TEST_MAJORS (`15 17 18`), else all that are installed here. Where there is none, no
 * file that asks for them is run (test/tools/left-out.js).
 */
export const majors: number[] = process.env.PGBK_TEST_MAJORS
  ? process.env.PGBK_TEST_MAJORS.split(/[ ,]+/).map(Number)
  : [13, 14, 15, 16, 17, 18].filter((major) => existsSync(`${binOf(major)}/initdb`))

/** Defines tests for each of the majors from this one on that are tested at all. */
export function eachMajorFrom(oldest: number, define: (major: number) => void): void {
  const tested = majorsFrom(oldest)
  if (tested.length === 0)
    needs(`PostgreSQL ${oldest} or newer`).describe(`PostgreSQL ${oldest}`, () => define(oldest))
  for (const major of tested) define(major)
}

/** Those of the tested majors that are not older than this one. */
export function majorsFrom(oldest: number): number[] {
  return majors.filter((one) => one >= oldest)
}

/** For tests of what differs between these majors; on a machine with none of them it is tried on what there is. */
export function majorsAmong(...wanted: number[]): number[] {
  const tested = majors.filter((major) => wanted.includes(major))
  return tested.length > 0 ? tested : [anyMajor]
}

/** The same tests for each of these majors, `%i` in the title; where there is none they are left out. */
export function describeMajors(tested: number[], title: string, define: (major: number) => void): void {
  if (tested.length > 0) describe.each(tested)(title, define)
  else noSuchMajor().describe(title.replace('%i', '...'), () => define(anyMajor))
}

/** The same test on each of these majors, as `describeMajors`. */
export function itMajors(tested: number[], title: string, body: (major: number) => Promise<void>): void {
  if (tested.length > 0) it.each(tested)(title, body)
  else noSuchMajor().it(title.replace('%i', '...'), () => body(anyMajor))
}

const noSuchMajor = () => needs('PostgreSQL of a further major')

/** For tests of what PostgreSQL itself says or does: what lies between does as these, or as `anyMajor`, which most other tests take. */
export const oldestAndNewest: number[] = [...new Set([Math.min(...majors), Math.max(...majors)])]

/** Every second one of the cases, the others on the other one of these majors: for what a major makes different in the same way for all. */
export function shareOf<T>(cases: T[], major: number): T[] {
  const own = oldestAndNewest.indexOf(major)
  return cases.filter((_, index) => index % oldestAndNewest.length === own)
}

/** For tests that need no particular major. */
export const anyMajor: number = majors.includes(15) ? 15 : (majors.at(-1) as number)

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
  const [file = '', ...args] = command
  const result = await execa(file, args, {
    cwd: '/',
    reject: false,
    stdin: 'ignore',
    ...ordinaryIds,
    ...options,
  })
  return { status: result.exitCode, stdout: String(result.stdout ?? ''), stderr: String(result.stderr ?? '') }
}
