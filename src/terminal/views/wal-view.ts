import type { ArchiveStatus, WalStatus } from '../../monitoring/wal-status.js'
import type { Progress } from '../../progress.js'
import { formatBytes, formatDuration, formatTime } from '../../text/format.js'
import type { ReceiverState } from '../../wal-archive/receiver-state.js'
import type { DropSlotResult } from '../../wal-receiver/drop-slot.js'
import type { SegmentForm } from '../../wal-segments/segment-forms.js'
import { ago } from '../parts/recovery-view.js'
import { gapText, windowColumn, windowJson } from '../parts/window-text.js'
import { printable, type Screen } from '../screen.js'
import { tableLines } from '../table.js'

export function walStatusJson({
  root,
  slotName,
  archives,
  receiver,
  receiverHealth,
  server,
  stores,
  warnings,
}: WalStatus): object {
  return {
    root,
    archives: archives.map(archiveJson),
    receiver: receiver ? { ...receiver, alive: receiverHealth === 'alive' } : null,
    slot: server?.slot ?? null,
    slot_name: slotName,
    server: server
      ? {
          host: server.host,
          port: server.port,
          lsn: server.lsn,
          timeline: server.timeline,
          in_recovery: server.in_recovery,
          max_slot_wal_keep_size: server.max_slot_wal_keep_size,
        }
      : null,
    stores: stores.map(({ name, upload, wal }) => ({
      name,
      upload,
      wal_sent_at: wal?.at ?? null,
      wal_lag_seconds: wal?.lagMs === undefined ? null : Math.round(wal.lagMs / 1000),
      wal_error: wal?.error ?? null,
    })),
    warnings,
  }
}

function archiveJson({ backup, wal, window }: ArchiveStatus): object {
  return { backup: backup.id, directory: wal.directory, ...measured(wal), window: windowJson(window) }
}

function measured({ chain }: ArchiveStatus['wal']) {
  const count = (form: SegmentForm) => chain.filter((segment) => segment.form === form).length
  return {
    first_segment: chain[0]?.name ?? null,
    last_segment: chain.at(-1)?.name ?? null,
    segments: chain.length,
    raw: count('raw'),
    gzip: count('gzip'),
    zstd: count('zstd'),
    partial: count('partial'),
    size_bytes: chain.reduce((sum, { bytes }) => sum + bytes, 0),
  }
}

/** What somebody should look at goes to stderr. */
export function sayWarnings({ warnings }: WalStatus, progress: Progress): void {
  for (const warning of warnings) progress.warn(warning)
}

/** How far behind each store is that gets WAL. */
function storeRows({ stores }: WalStatus): [string, string][] {
  return stores.flatMap(({ name, wal }) => {
    if (!wal) return []
    const until = wal.lagMs === undefined ? 'nothing yet' : `all until ${formatDuration(wal.lagMs)} ago`
    return [['Store', `${name}: ${until}${wal.error === null ? '' : `, ${wal.error}`}`]]
  })
}

export function walStatusText(status: WalStatus, screen: Screen): string {
  const { style } = screen
  const rows = [...receiverRows(status, screen), ...slotRows(status), ...storeRows(status)]
  const head = rows.map(([name, value]) => `${style.faint(name.padEnd(11))}${printable(value)}`).join('\n')
  return `${[head, archivesText(status, screen), gapsText(status, screen)].filter(Boolean).join('\n\n')}\n`
}

function doingText({ status, host, port, backup, handing_over_to }: ReceiverState): string {
  if (status === 'receiving') return `receiving from ${host}:${port} for backup ${backup}`
  if (status === 'handing-over') return `handing over to backup ${handing_over_to}`
  return status.replaceAll('-', ' ')
}

function receiverRows({ receiver, receiverHealth }: WalStatus, { now }: Screen): [string, string][] {
  if (!receiver) return [['Receiver', 'none']]
  const { pid, caught_up_at, updated_at, received_lsn } = receiver
  if (receiverHealth !== 'alive') return [['Receiver', `not running, last heard of ${ago(updated_at, now)}`]]
  return [
    ['Receiver', `${doingText(receiver)} (process ${pid})`],
    [
      'Received',
      received_lsn === null
        ? ''
        : `${received_lsn}${caught_up_at === null ? '' : `, everything up to ${formatTime(caught_up_at)} (${ago(caught_up_at, now)})`}`,
    ],
  ]
}

function slotRows({ server, slotName }: WalStatus): [string, string][] {
  if (!server) return [['Slot', 'unknown: the server was not asked']]
  const { slot, lsn, host, port } = server
  if (!slot)
    return [
      ['Server', `${host}:${port}, at ${lsn}`],
      ['Slot', `${slotName}: there is none`],
    ]
  const state = slot.active ? 'in use' : 'not in use'
  return [
    ['Server', `${host}:${port}, at ${lsn}`],
    [
      'Slot',
      `${slot.name}: ${state}, ${slot.wal_status}, from ${slot.restart_lsn}; the server keeps ${formatBytes(slot.retained_bytes ?? 0)} for it`,
    ],
  ]
}

function archivesText({ archives, root }: WalStatus, { width, now, style }: Screen): string {
  if (archives.length === 0) return `No backups in ${root}.`
  const [header = '', ...rows] = tableLines<ArchiveStatus>(
    [
      { title: 'BACKUP', value: ({ backup }) => backup.id },
      { title: 'FROM', value: ({ window }) => window.from_lsn, expendable: 2 },
      { title: 'TO', value: ({ window }) => window.to_lsn, expendable: 1 },
      { title: 'SEGMENTS', value: ({ wal }) => String(wal.chain.length), align: 'right' },
      { title: 'GZIP', value: ({ wal }) => String(measured(wal).gzip), align: 'right', expendable: 3 },
      ...(archives.some(({ wal }) => measured(wal).zstd > 0)
        ? [
            {
              title: 'ZSTD',
              value: ({ wal }: ArchiveStatus) => String(measured(wal).zstd),
              align: 'right' as const,
              expendable: 3,
            },
          ]
        : []),
      { title: 'SIZE', value: ({ wal }) => formatBytes(measured(wal).size_bytes), align: 'right' },
      {
        title: 'WINDOW',
        value: ({ backup, window }) =>
          windowColumn(window, now, backup.summary.started_at) || 'snapshot only',
      },
    ],
    archives,
    width,
  )
  return [style.strong(header), ...rows].join('\n')
}

function gapsText({ archives }: WalStatus, { style }: Screen): string {
  return archives
    .flatMap(({ backup, window }) => {
      const text = gapText(window) ?? window.fault
      return text === undefined ? [] : [style.warning(`${backup.id}: ${printable(text)}`)]
    })
    .join('\n')
}

export function dropSlotJson({ slot, server, dropped }: DropSlotResult): object {
  return { slot, host: server.host, port: server.port, dropped }
}

export function dropSlotText({ slot, server, dropped }: DropSlotResult, { quiet }: Screen): string {
  if (quiet) return ''
  const place = `${server.host}:${server.port}`
  return dropped ? `Removed the slot ${slot} of ${place}.\n` : `There is no slot ${slot} on ${place}.\n`
}
