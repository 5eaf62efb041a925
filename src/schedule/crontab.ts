import { basename } from 'node:path'
import type { Context, SystemUser } from '../context.js'
import { PgbkError } from '../errors.js'
import { findProcesses, hasProc } from '../system/process/process-table.js'
import { runProgram } from '../system/program/run-program.js'

/**
 * The caller's crontab, every byte one character, so that it can be written back as it was; empty where there is none.
 * @throws {PgbkError} `programs-missing` without cron, `failed` for somebody who may not use it.
 */
export async function readCrontab({ env, signal }: Context): Promise<string> {
  const options = { env, signal, bytewise: true }
  const { status, stdout, stderr } = await runCrontab(['-l'], options)
  if (status === 0) return stdout
  if (/no crontab for/i.test(stderr)) return ''
  throw new PgbkError('failed', `cannot read the crontab: ${stderr.trim()}`, { hint: otherWay })
}

/**
 * The same, to be written back with changes.
 * @throws {PgbkError} also `failed` for lines that end with a carriage return, where `crontab -l` shows that in two characters, as
 * Debian's does: they would be written back so.
 */
export async function readCrontabToChange(context: Context): Promise<string> {
  const text = await readCrontab(context)
  const line = text.split('\n').findIndex((one) => one.endsWith('\\r')) + 1
  if (line === 0) return text
  throw new PgbkError(
    'failed',
    `line ${line} of the crontab ends with a carriage return, and would not stay as it is`,
    { hint: `Take it out with crontab -e first. ${otherWay}` },
  )
}

/** Replaces the caller's crontab. */
export async function writeCrontab(text: string, { env, signal }: Context): Promise<void> {
  const input = Buffer.from(text, 'latin1')
  const { status, stderr } = await runCrontab(['-'], { env, signal, input })
  if (status !== 0)
    throw new PgbkError('failed', `cannot write the crontab: ${stderr.trim()}`, { hint: otherWay })
}

const otherWay = 'pgbk schedule --print shows the line, and with --systemd units for systemd.'

async function runCrontab(args: string[], options: Parameters<typeof runProgram>[2]) {
  try {
    return await runProgram('crontab', args, options)
  } catch (cause) {
    if (!(cause instanceof PgbkError) || cause.code !== 'programs-missing') throw cause
    throw new PgbkError('programs-missing', 'there is no crontab on this system', {
      cause,
      hint: `Install cron (apt-get install cron, dnf install cronie), or use systemd: ${otherWay}`,
    })
  }
}

const daemons = ['cron', 'crond', 'fcron', 'dcron', 'busybox']

/** Not to be seen in every container; where there is no /proc nothing is said. */
export function cronDaemonProblem(): string | undefined {
  const isThere = findProcesses(([program = '']) => daemons.includes(basename(program))).length > 0
  return isThere || !hasProc() ? undefined : 'no cron daemon is running here: nothing will run the line'
}

/** What cron gives a command (crontab(5)): these four, and what stands in the crontab above the line. */
export function cronEnvironment({ name, home }: SystemUser, crontab: string): Record<string, string> {
  const own = { HOME: home, LOGNAME: name, SHELL: '/bin/sh', PATH: '/usr/bin:/bin' }
  return { ...own, ...assignmentsIn(crontab) }
}

/** LOGNAME cannot be changed. */
function assignmentsIn(crontab: string): Record<string, string> {
  const assignments = crontab.split('\n').flatMap((line): [string, string][] => {
    const [, quoted, plain, value = ''] = /^\s*(?:["'](\w+)["']|(\w+))\s*=\s*(.*?)\s*$/.exec(line) ?? []
    const name = quoted ?? plain
    return name === undefined || name === 'LOGNAME' ? [] : [[name, value.replace(/^(["'])(.*)\1$/, '$2')]]
  })
  return Object.fromEntries(assignments)
}
