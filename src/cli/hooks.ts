import { existsSync } from 'node:fs'
import type { Settings } from '../config/load.js'
import type { Context, Environment } from '../context.js'
import { messageOf, type PgbkError, pgbkErrorFrom } from '../errors.js'
import type { Progress } from '../progress.js'
import { printableLines } from '../terminal/screen.js'
import type { Outcome } from './call/command-spec.js'

/** What happened, as the hooks are told. */
interface HookEvent {
  event: 'success' | 'failure' | 'warning'
  id: string
  /** What failed, or the warnings, one a line. */
  error: string
  document: object
}

export interface HookOptions {
  /** `create` */
  command: string
  settings: Settings
  context: Context
  /** What the command warned of. */
  warnings: string[]
  /** Says what is wrong with a hook, also where warnings are not wanted. */
  complain(text: string): void
}

/** Passes everything on, and keeps the warnings. */
export function notingWarnings(progress: Progress, warnings: string[]): Progress {
  return {
    ...progress,
    warn: (text) => {
      warnings.push(text)
      progress.warn(text)
    },
  }
}

/**
 * Runs a command, and then the hooks that the configuration has for its end. Whatever they do, the command ends as it would have
 * without them.
 */
export async function tellingHooks(
  work: () => Promise<Outcome | number>,
  options: HookOptions,
): Promise<Outcome | number> {
  try {
    const ended = await work()
    if (typeof ended !== 'number') for (const event of eventsOf(ended, options)) await tell(event, options)
    return ended
  } catch (thrown) {
    const error = pgbkErrorFrom(thrown)
    // Whoever presses Ctrl-C knows.
    if (error.code !== 'interrupted') await tell(failureEvent(error), options)
    throw thrown
  }
}

function eventsOf(ended: Outcome, { warnings }: HookOptions): HookEvent[] {
  const about = { id: ended.id ?? '', document: ended.json() }
  if (ended.failure) return [{ ...about, event: 'failure', error: ended.failure.message }]
  const success: HookEvent = { ...about, event: 'success', error: '' }
  if (warnings.length === 0) return [success]
  return [success, { ...about, event: 'warning', error: warnings.join('\n') }]
}

function failureEvent({ code, message, hint }: PgbkError): HookEvent {
  const document = { error: { code, message, hint: hint ?? null } }
  return { event: 'failure', id: '', error: message, document }
}

const limitMs = 60_000

async function tell(event: HookEvent, options: HookOptions): Promise<void> {
  const { settings, context, complain } = options
  const key = `on_${event.event}` as const
  const hook = settings.hooks[key]
  if (hook === undefined) return
  const { runUntrusted } = await import('../system/program/run-untrusted.js')
  const { dropPrivileges } = await import('../privileges/drop-privileges.js')
  context.progress.detail(`hooks.${key}: ${hook}`)
  try {
    // What has failed before root was given up.
    dropPrivileges({ as: 'run_as' }, settings.run_as, context)
    const { status, stopped, output } = await runUntrusted('/bin/sh', ['-c', hook], {
      kind: 'hook',
      env: context.env,
      variables: hookVariables(event, options),
      cwd: existsSync(`${settings.root}/.`) ? settings.root : '/',
      input: `${JSON.stringify(event.document)}\n`,
      // The second signal is for the hook of a command that the first one has ended.
      signal: context.signal.aborted ? context.urgent : context.signal,
      umask: context.umask,
      limitMs,
    })
    const said = output.trim() === '' ? '' : `; it said:\n${output.trimEnd()}`
    if (stopped)
      complain(`the hook hooks.${key} did not end within ${limitMs / 1000} s and was stopped${said}`)
    else if (status !== 0) complain(`the hook hooks.${key} ended with ${status ?? 'a signal'}${said}`)
    else if (said !== '') context.progress.detail(output.trimEnd())
  } catch (error) {
    complain(`the hook hooks.${key} cannot be run: ${messageOf(error)}`)
  }
}

/** A variable may have 128 kB at most, and all of them together not much more. */
const mostError = 8000

function hookVariables(event: HookEvent, { command, settings }: HookOptions): Environment {
  return {
    PGBK_EVENT: event.event,
    PGBK_COMMAND: command,
    PGBK_ID: event.id,
    PGBK_ERROR: printableLines(event.error.slice(0, mostError)),
    PGBK_ROOT: settings.root,
  }
}
