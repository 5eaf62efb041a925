import type { Progress } from '../../progress.js'
import type { Instance } from '../../restore/instance/instance.js'
import type { InstanceList, ListedRun, StopResult } from '../../restore/instance/instance-commands.js'
import type { RunDirectory } from '../../run/directory/run-directory.js'
import { formatAge, formatBytes } from '../../text/format.js'
import { databaseWord, shellWord } from '../../text/shell-word.js'
import { printable, type Screen } from '../screen.js'
import { tableLines } from '../table.js'

/**
 * @param written see `writtenBytes`.
 * @param fetched what has come of a backup that is elsewhere.
 */
export function runJson(
  { name, marker, layout }: RunDirectory,
  written: number | undefined,
  fetched: number | undefined,
): object {
  const { backup, from, detached, started_at, socket_directory = null, server } = marker
  return {
    ...{ name, backup, detached, started_at, socket_directory, ...server },
    written_bytes: written ?? null,
    ...(from ? { from: from.place, fetched_bytes: fetched ?? null } : {}),
    directory: layout.directory,
  }
}

export function instanceJson({ name, record, state, port, pid, layout, sockets }: Instance): object {
  const { backup, created_at, server_version, role, database } = record
  const { directory, log } = layout
  return {
    name,
    backup,
    state,
    port,
    pid: pid ?? null,
    role,
    database,
    server_version,
    created_at,
    directory,
    log,
    socket_directory: sockets || null,
  }
}

export function instancesJson({ instances, runs }: InstanceList): object {
  return {
    instances: instances.map(instanceJson),
    runs: runs.map((run) => runJson(run, run.written, run.fetched)),
  }
}

/** What was found where instances are kept, and is none. */
export function sayNoInstances({ rejected }: InstanceList, { warn }: Progress): void {
  for (const { name, reason } of rejected) warn(`${name} is not an instance: ${reason}`)
}

interface Row {
  name: string
  since: string
  port: number | undefined
  written: string
  fetched: string
  database: string
  state: string
}

export function instancesText(list: InstanceList, { width, now, style }: Screen): string {
  const rows = [...list.instances.map(rowOfInstance), ...list.runs.map(rowOfRun)]
  if (rows.length === 0) return `There is no instance in ${list.root}, and no run.\n`
  const [header = '', ...lines] = tableLines<Row>(
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'AGE', value: ({ since }) => formatAge(now.getTime() - Date.parse(since)), align: 'right' },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'PORT', value: ({ port }) => String(port ?? ''), align: 'right' },
      ...(rows.some(({ written }) => written !== '')
        ? [{ title: 'WRITTEN', value: ({ written }: Row) => written, align: 'right' as const }]
        : []),
      ...(rows.some(({ fetched }) => fetched !== '')
        ? [{ title: 'FETCHED', value: ({ fetched }: Row) => fetched, align: 'right' as const }]
        : []),
      { title: 'DATABASE', value: ({ database }) => database, expendable: 1 },
    ],
    rows,
    width,
  )
  return `${[style.strong(header), ...lines].join('\n')}\n`
}

function rowOfInstance({ name, record, port, state }: Instance): Row {
  return { name, since: record.created_at, port, written: '', fetched: '', database: record.database, state }
}

function rowOfRun({ name, marker, written, fetched }: ListedRun): Row {
  const { started_at, server, detached } = marker
  return {
    name,
    since: started_at,
    port: server?.port,
    written: written === undefined ? '' : formatBytes(written),
    fetched: fetched === undefined ? '' : formatBytes(fetched),
    database: server?.database ?? '',
    state: detached ? 'detached run' : 'run',
  }
}

export function psqlOf({ port, record, host }: Instance): string {
  return `psql -h ${shellWord(host)} -p ${port} -U ${shellWord(record.role)} ${databaseWord(record.database)}`
}

export function startedText(instance: Instance, { quiet, style }: Screen): string {
  if (quiet) return ''
  return `${style.good('Instance')} ${style.strong(instance.name)} is running\n${style.faint('psql'.padEnd(11))}${style.strong(printable(psqlOf(instance)))}\n`
}

export function stoppedJson({ run, instance }: StopResult): object {
  return { stopped: run ? runJson(run, run.written, run.fetched) : instanceJson(instance) }
}

export function stoppedText({ run, instance, wasRunning }: StopResult, { quiet, pgbk }: Screen): string {
  if (quiet) return ''
  return run
    ? `Stopped ${run.name}; its working copy is removed.\n`
    : `${wasRunning ? `Stopped ${instance.name}` : `${instance.name} was not running`}. Start it${wasRunning ? ' again' : ''}:\n  ${pgbk(`instance start ${instance.name}`)}\n`
}

export function deletedText({ name }: Instance, { quiet }: Screen): string {
  return quiet ? '' : `Deleted ${name} with all its data.\n`
}
