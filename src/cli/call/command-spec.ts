import type { Command } from 'commander'
import type { Task } from '../../config/load.js'
import type { PgbkError } from '../../errors.js'
import type { StandIn } from '../../privileges/drop-privileges.js'
import type { Screen } from '../../terminal/screen.js'
import type { GlobalOptions } from './options.js'

/** The result of a command, for programs and for people. */
export interface Outcome {
  json(): object
  text(screen: Screen): string
  /** The one backup that it is about. */
  id?: string | undefined
  /** Where the command did what it was asked to, and found faults: how it ends. The result itself tells them. */
  failure?: PgbkError
}

/** What the command line asks for. */
export interface Invocation<Options extends object = object> {
  spec: CommandSpec
  /** Ids of backups, or names. */
  ids: string[]
  /** COMMAND: all that stood after the first `--`. */
  words: string[] | undefined
  /** The command's own, as it declares them. */
  options: Options
  globals: GlobalOptions
  /** All commands as they are declared. */
  program: Command
}

/** All that carrying a command out needs. */
export interface Call<Options extends object = object> extends Invocation<Options>, Task {
  print(outcome: Outcome): Promise<void>
}

/**
 * One command as the command line knows it. Its own module, and what that needs, is loaded only when it is called.
 * `Options` has what `declare` adds: `--max-rate` is `maxRate`.
 */
export interface CommandSpec<Options extends object = object> {
  /** `create`, or `instance stop`. */
  name: string
  description: string
  /** What the help says after the list of options. */
  help?: string
  /** Whether people watch it work: with a spinner on a terminal. */
  takesTime?: boolean
  /** Whether the configuration's hooks are told how this call ends. */
  tellsHooks?(invocation: Invocation<Options>): boolean
  /** Adds arguments and options. */
  declare?(command: Command): Command
  /** What is wrong with this combination of options and COMMAND, if anything is. */
  faultOf?(invocation: Invocation<Options>): string | undefined
  /**
   * Whom it works as when root has called it (default: the owner of the root directory). Undefined where it does nothing with files,
   * or gives up root itself.
   */
  standIn?(call: Call<Options>): StandIn | undefined
  /** Takes the place of `run` where the configuration has faults; other commands end with them. */
  runWithout?(fault: PgbkError, call: Omit<Call<Options>, 'settings'>): Promise<Outcome | number>
  /** Returns what to print, or, where it has printed that itself, the exit status. */
  run(call: Call<Options>): Promise<Outcome | number>
}
