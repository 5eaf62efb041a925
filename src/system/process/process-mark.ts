import { v } from '../../schema.js'
import { isAlive, pidSpace, startTimeOf } from './process-table.js'

/** What tells one process from all others, in a marker that others read later. */
export const markFields = {
  pgbk_pid: v.number(),
  pgbk_start_time: v.nullable(v.string()),
  /** Where these pids mean something. */
  pid_space: v.nullable(v.string()),
}

/** A marker that says nothing else. */
export const markSchema = v.object(markFields)

export type ProcessMark = v.InferOutput<typeof markSchema>

export function markOfThisProcess(): ProcessMark {
  return {
    pgbk_pid: process.pid,
    pgbk_start_time: startTimeOf(process.pid) ?? null,
    pid_space: pidSpace() ?? null,
  }
}

/** Whether that process goes on. Of another container nothing can be known: `elsewhere`. */
export function lifeOf({
  pgbk_pid,
  pgbk_start_time,
  pid_space,
}: ProcessMark): 'alive' | 'gone' | 'elsewhere' {
  if (pid_space && pid_space !== pidSpace()) return 'elsewhere'
  return pgbk_pid > 0 && isAlive(pgbk_pid, pgbk_start_time ?? undefined) ? 'alive' : 'gone'
}
