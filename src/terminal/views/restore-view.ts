import { recordOf } from '../../catalog/backup.js'
import type { DirectoryRequest } from '../../restore/directory/plan-directory.js'
import type { RestoreResult } from '../../restore/finish-directory.js'
import type { RestorePlan } from '../../restore/plan-restore.js'
import { formatBytes } from '../../text/format.js'
import { databaseWord, shellWord } from '../../text/shell-word.js'
import { planRows, type Row, recoveryJson, recoveryResultText, rowsText } from '../parts/recovery-view.js'
import { printable, type Screen, type Style } from '../screen.js'
import { instanceJson, psqlOf } from './instance-view.js'

/** What will be done; for the time before it is done, and for a dry run. */
export function planText(plan: RestorePlan, now: Date): string {
  const { backup, recovery, destination, start, room } = plan
  const record = recordOf(backup)
  const tight = room.filter(({ needed, free }) => free < needed)
  const rows: Row[] = [
    ...planRows(backup, recovery, now),
    [
      'Size',
      [
        formatBytes(record.size_bytes),
        ...(room.length > 0
          ? [room.map(({ free, place }) => `${formatBytes(free)} free in ${place}`).join(', ')]
          : []),
      ].join('; '),
    ],
    ...tight.map((need): Row => ['', `too little, unless the file system can share blocks (${need.place})`]),
    ...(destination.kind === 'instance'
      ? ([['Instance', `${destination.request.name}, port ${destination.request.port}`]] as Row[])
      : [
          ...directoryRows(destination.request),
          ...destination.missing.map((one, index): Row => [index === 0 ? 'Missing' : '', one]),
        ]),
    ['Start', start ? 'yes' : 'no'],
  ]
  return rowsText(rows)
}

function directoryRows({ data, tablespaces, switchedOff, backup, port }: DirectoryRequest): Row[] {
  const nameOf = (oid: number) => recordOf(backup).tablespaces.find((one) => one.oid === oid)?.name ?? oid
  const reasons = switchedOff?.reasons ?? ['nothing: --as-production']
  return [
    ['Directory', data],
    ...tablespaces.map(({ oid, target }): Row => ['', `tablespace ${nameOf(oid)} in ${target}`]),
    ...(port === undefined ? [] : ([['Port', String(port)]] as Row[])),
    ...reasons.map((reason, index): Row => [index === 0 ? 'Off' : '', reason]),
  ]
}

export function restoreJson({ plan, dryRun, instance, port, notes, recoveryResult }: RestoreResult): object {
  const { backup, recovery, destination, start } = plan
  const common = {
    backup: backup.id,
    ...recoveryJson(recovery, recoveryResult),
    directory:
      instance?.layout.directory ?? (destination.kind === 'directory' ? destination.request.data : null),
    port: port ?? (destination.kind === 'instance' ? destination.request.port : null),
    switched_off:
      destination.kind === 'directory' ? Object.keys(destination.request.switchedOff?.settings ?? {}) : null,
  }
  if (dryRun)
    return {
      plan: {
        ...common,
        name: destination.kind === 'instance' ? destination.request.name : null,
        start,
        ...(destination.kind === 'directory' ? { missing: destination.missing } : {}),
      },
    }
  const state = port === undefined ? 'stopped' : 'running'
  return {
    instance: {
      ...common,
      name: null,
      state,
      notes,
      ...(instance ? instanceJson(instance) : {}),
    },
  }
}

export function restoreText(result: RestoreResult, screen: Screen): string {
  if (result.dryRun) return `${planText(result.plan, screen.now)}\n`
  if (screen.quiet) return ''
  return result.plan.destination.kind === 'instance'
    ? instanceText(result, screen)
    : directoryText(result, result.plan.destination.request, screen)
}

function instanceText(result: RestoreResult, { style, pgbk }: Screen): string {
  const { instance, port } = result
  if (!instance) return ''
  const { name, layout } = instance
  const rows: Row[] = [
    ['Directory', layout.directory],
    ['Data as of', recoveryResultText(result.plan.recovery, result.recoveryResult)],
    ...(port === undefined
      ? ([['Start', style.strong(pgbk(`instance start ${name}`))]] as Row[])
      : ([
          ['psql', style.strong(printable(psqlOf(instance)))],
          ['Stop', pgbk(`instance stop ${name}`)],
        ] as Row[])),
    ['Remove', pgbk(`instance delete ${name}`)],
  ]
  const reboot = `Nothing starts it after a reboot. A crontab line for that is in\n  ${layout.readme}`
  return `
${style.good('Instance')} ${style.strong(name)} is ${port === undefined ? 'restored, and not started' : 'running'}
${rowsText(rows, style)}

${reboot}
`
}

function directoryText(result: RestoreResult, request: DirectoryRequest, { style }: Screen): string {
  const { plan, port, notes } = result
  const { data, switchedOff } = request
  const archives = new Set(plan.recovery.archive?.chain.map(({ directory }) => directory))
  const wal = request.archive ?? [...archives].join(' and ')
  const started = port === undefined ? 'It is not started yet.' : runningText(result, port, style)
  const recovers =
    port === undefined && plan.recovery.recovery
      ? [
          `Its first start replays WAL from ${printable(wal)}, which must stay until then. When recovery.signal is gone, remove the settings for that:`,
          `  sed -i '/^# pgbk recovery: begin/,/^# pgbk recovery: end/d' ${shellWord(`${data}/postgresql.auto.conf`)}`,
        ]
      : []
  const parts = [
    `${style.good('Restored')} ${style.strong(data)}, data as of ${recoveryResultText(result.plan.recovery, result.recoveryResult)}`,
    [started, ...recovers, ...(port === undefined ? [startText(plan.programs.postgres, request)] : [])].join(
      '\n',
    ),
    notes.length > 0 ? `Look at these:\n${notes.map((note) => `  - ${printable(note)}`).join('\n')}` : '',
    switchedOff ? offText(request, port) : '',
  ]
  return `\n${parts.filter(Boolean).join('\n\n')}\n`
}

function runningText({ login }: RestoreResult, port: number, style: Style): string {
  const { host = '', role = '', database = '' } = login ?? {}
  const psql = `psql -h ${shellWord(host)} -p ${port} -U ${shellWord(role)} ${databaseWord(database)}`
  return `Its server is running on port ${port}.\n${rowsText([['psql', style.strong(printable(psql))]], style)}`
}

function offText({ data, switchedOff }: DirectoryRequest, port: number | undefined): string {
  const lines = (switchedOff?.reasons ?? []).map((reason) => `  - ${reason}`).join('\n')
  const restart = port !== undefined ? ', then restart it' : ''
  return `Switched off, so that it cannot harm the server it came from:
${lines}
When it takes over from that server, take the block out${restart}:
  sed -i '/^# pgbk restore: begin/,/^# pgbk restore: end/d' ${shellWord(`${data}/postgresql.auto.conf`)}`
}

function startText(postgres: string, { data, configEntries }: DirectoryRequest): string {
  const [, major, name] = /^\/var\/lib\/postgresql\/(\d+)\/([\w.-]+)$/.exec(data) ?? []
  if (major === undefined || name === undefined)
    return `Start it:  ${shellWord(postgres)} -D ${shellWord(data)}`
  const conf = `/etc/postgresql/${major}/${name}`
  const others = configEntries
    .filter((top) => !top.endsWith('.conf'))
    .map((top) => shellWord(`${data}/${top}`))
  return `Start it:  pg_ctlcluster ${major} ${name} start
Debian starts a cluster with the files in ${conf}. If they are not there, before it:
  install -d -o postgres -g postgres ${conf}
  cp -a ${[`${data}/*.conf`, ...others].join(' ')} ${conf}/ && rm ${conf}/postgresql.auto.conf
  echo "data_directory = '${data}'" >> ${conf}/postgresql.conf`
}
