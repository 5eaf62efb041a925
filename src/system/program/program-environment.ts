import type { Environment } from '../../context.js'
import { searchPath } from '../paths/search-path.js'

/** Whose program is started, which decides what it gets of the environment, and in which language it speaks. */
export type ProgramKind = keyof typeof rules

/** What a program has around it. */
export interface ProgramPlace {
  /** The caller's, or the one of a connection; left out for a program that needs nothing of it. */
  env?: Environment
  /** `tool` where it is left out. */
  kind?: ProgramKind
  /** Variables that only this program has. */
  variables?: Environment
  /** A directory in which programs are looked for before PATH. */
  programs?: string
  /** A directory that the user of the process can enter. Default `/`. */
  cwd?: string
  /** Default: the one of this process. */
  umask?: number
}

const rules = {
  /** A tool of the system, or a client program of PostgreSQL: its messages are read, so they are in English. */
  tool: inEnglish,
  /** A server, and all that its data can start: no secret, and no other server. */
  server: (env: Environment) =>
    only(
      /^(?:PATH|HOME|LANG|LC_\w+|TZ|TMPDIR|USER|LOGNAME|LD_LIBRARY_PATH|DYLD_LIBRARY_PATH)$/,
      inEnglish(env),
    ),
  /** What speaks to the caller: ssh, or pgbk once more. */
  own: (env: Environment) => env,
  /** pgbk of another user: nothing that was meant for root's eyes, or leads that user's programs elsewhere. */
  another: (env: Environment) => only(/^(?:PATH|LANG|LC_\w+|TZ|TERM|COLORTERM|NO_COLOR|CI)$/, env),
  /** A hook: nothing that libpq or pgbk were told, where passwords are, and no connection string with one. */
  hook: (env: Environment) =>
    without((name, value) => name.startsWith('PG') || /postgres(ql)?:\/\/[^/@]*:/.test(value ?? ''), env),
  /** A command that is to reach the server of a run: nothing that could lead it to another one. */
  command: (env: Environment) => without((name) => name.startsWith('PG') && !name.startsWith('PGBK_'), env),
}

/** What every program that pgbk starts is started with, beside its input and output. */
export function startOptions({ env = {}, kind = 'tool', variables, programs, cwd = '/' }: ProgramPlace) {
  // An empty or relative entry would mean another program in every directory, put there by whoever can write it.
  const PATH = [...(programs === undefined ? [] : [programs]), ...searchPath(env.PATH)].join(':')
  return { cwd, env: { ...rules[kind](env), PATH, ...variables }, extendEnv: false, reject: false } as const
}

function inEnglish({ LANGUAGE: _language, ...env }: Environment): Environment {
  return { ...env, LC_ALL: 'C' }
}

function only(known: RegExp, env: Environment): Environment {
  return without((name) => !known.test(name), env)
}

function without(
  isUnwanted: (name: string, value: string | undefined) => boolean,
  env: Environment,
): Environment {
  return Object.fromEntries(Object.entries(env).filter(([name, value]) => !isUnwanted(name, value)))
}
