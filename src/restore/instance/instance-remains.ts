import { randomInt } from 'node:crypto'
import { existsSync, renameSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type InstanceLayout, instanceLayout, rootLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { isDiskFull, systemCode } from '../../errors.js'
import { v } from '../../schema.js'
import { replaceFleetingly, syncPath } from '../../system/files/durable.js'
import { removeMarked } from '../../system/files/marked-directory.js'
import { lookAtNote } from '../../system/files/read-note.js'
import { namesIn } from '../../system/paths/names-in.js'
import { lifeOf, markFields, markOfThisProcess } from '../../system/process/process-mark.js'
import { shellWord } from '../../text/shell-word.js'

/**
 * Removes an instance, or what is left of one. Its record becomes the marker first: from then on it is none. Of several that remove
 * it, the one goes on that moves it to a name which nobody has had.
 * @returns whether this one did it; if not, another does.
 */
export async function removeInstance(layout: InstanceLayout): Promise<boolean> {
  const instances = dirname(layout.directory)
  const name = basename(layout.directory).replace(/^\.|(\.\d{10})?\.partial$/g, '')
  const doomed = instanceLayout(join(instances, `.${name}.${randomInt(1e9, 1e10)}.partial`))
  try {
    if (existsSync(layout.record)) renameSync(layout.record, layout.marker)
    renameSync(layout.directory, doomed.directory)
    markAsOurs(doomed)
    for (const directory of [doomed.directory, instances]) await syncPath(directory)
    await removeMarked(doomed.marker)
    await syncPath(instances)
    return true
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false
    throw error
  }
}

/** Others leave it alone then, for as long as this process goes on. */
function markAsOurs({ marker }: InstanceLayout): void {
  const mark: v.InferInput<typeof markSchema> = { made_by: 'delete', ...markOfThisProcess() }
  try {
    replaceFleetingly(marker, `${JSON.stringify(mark)}\n`)
  } catch (error) {
    if (!isDiskFull(error)) throw error // to make room is what it is removed for
  }
}

/**
 * Removes what restores and deletes have left that did not end by themselves; nothing without a marker is touched. What may go on
 * on another machine, or was left before this one was started anew, is named.
 */
export async function sweepInstances(root: string, context: Context): Promise<void> {
  const { progress, now } = context
  const { instances } = rootLayout(root)
  for (const name of namesIn(instances)) {
    const layout = instanceLayout(join(instances, name))
    const left = leftOver(layout, name, now())
    if (left === 'removable') {
      if (await removeInstance(layout))
        progress.say(`removed ${layout.directory}, the remains of a restore or delete that did not end`)
    } else if (left === 'elsewhere')
      progress.warn(
        `${layout.directory} was left by a restore on another machine, or before this one was restarted; if none is running:  rm -r ${shellWord(layout.directory)}`,
      )
  }
}

/** What a name in `data/instances/` is, if it is to go; undefined also when it has just gone. */
export function leftOver(
  layout: InstanceLayout,
  name: string,
  now: Date,
): 'removable' | 'elsewhere' | undefined {
  if (!statSync(layout.directory, { throwIfNoEntry: false })?.isDirectory()) return undefined
  if (existsSync(layout.record) && !name.startsWith('.')) return undefined
  const marker = statSync(layout.marker, { throwIfNoEntry: false })
  // Looked at after the marker: one that has been published since is new, or not there.
  if (!marker) return isForgotten(layout, now) ? 'removable' : undefined
  const note = lookAtNote(markSchema, layout.marker)
  // A restore that has just begun has written no text yet.
  if (!note.value) return note.why === 'garbled' && isOld(marker, now) ? 'removable' : undefined
  const life = lifeOf(note.value)
  if (life === 'alive') return undefined
  return life === 'elsewhere' && note.value.made_by !== 'delete' ? 'elsewhere' : 'removable'
}

/** Killed before the marker was written, or after it had gone. */
function isForgotten(layout: InstanceLayout, now: Date): boolean {
  const directory = statSync(layout.directory, { throwIfNoEntry: false })
  const isOurs = existsSync(layout.record) || namesIn(layout.directory).length === 0
  return directory !== undefined && isOld(directory, now) && isOurs
}

function isOld({ mtimeMs }: Stats, now: Date): boolean {
  return now.getTime() - mtimeMs > 60_000
}

/** Who works in a directory that is nobody's instance. Of a delete that has just begun, the marker is the record that was. */
const markSchema = v.object({
  /** Anybody may go on with it. */
  made_by: v.optional(v.literal('delete')),
  pgbk_pid: v.optional(markFields.pgbk_pid, 0),
  pgbk_start_time: v.optional(markFields.pgbk_start_time, null),
  pid_space: v.optional(markFields.pid_space, null),
})
