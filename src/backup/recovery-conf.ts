import { shellWord } from '../shell-word.js'
import { confLiteral, restoreCommand } from './conf.js'

/** Where recovery is to end. Each names one recovery_target setting; PostgreSQL refuses more than one. */
export interface RecoveryTarget {
  lsn?: string
  /** ISO 8601 with an offset. */
  time?: string
  xid?: string
  name?: string
}

export interface RecoveryInput {
  /** Absolute path of the WAL archive. */
  archive: string
  target: RecoveryTarget
  timeline: number
  /** Whether what is at the target is replayed too. */
  inclusive: boolean
  action: 'promote' | 'pause'
}

/** The settings, by name, with which a server replays a WAL archive to a target; they count with a recovery.signal. */
export function recoverySettings(input: RecoveryInput): Readonly<Record<string, string>> {
  const targets = Object.entries(input.target).map(([kind, value]) => [`recovery_target_${kind}`, value])
  return {
    // A directory of any name: PostgreSQL replaces %f and %p in the command, and %% by a single one.
    restore_command: restoreCommand(shellWord(input.archive).replaceAll('%', '%%'), { partial: true }),
    ...Object.fromEntries(targets),
    recovery_target_inclusive: input.inclusive ? 'on' : 'off',
    recovery_target_timeline: String(input.timeline),
    recovery_target_action: input.action,
    hot_standby: 'on',
  }
}

/** Settings as lines of a configuration file. */
export function confLines(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${confLiteral(value)}\n`)
    .join('')
}
