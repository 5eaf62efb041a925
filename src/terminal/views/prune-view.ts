import type { StoredBackup } from '../../catalog/backup.js'
import type { PackedOlder } from '../../packing/pack-older.js'
import type { JudgedBackup, PruneResult } from '../../removal/prune.js'
import { formatAge, formatAtLeast, formatBytes } from '../../text/format.js'
import { backupJson } from '../parts/backup-json.js'
import { movedBytes, moveJson } from '../parts/move-view.js'
import type { Screen } from '../screen.js'
import { tableLines } from '../table.js'

export function pruneJson(
  { dryRun, kept, pruned, moved, freed }: PruneResult,
  packed: PackedOlder[],
): object {
  return {
    kept: kept.map(judgedJson),
    pruned: pruned.map(judgedJson),
    moved_wal: moved.map(moveJson),
    freed_bytes: freed.bytes,
    packed: packed.map(({ backup, savedBytes }) => ({
      ...backupJson(backup, backup.directory),
      saved_bytes: savedBytes,
    })),
    dry_run: dryRun,
  }
}

/** Every backup with what becomes of it and why; quiet, only a dry run has something to say. */
export function pruneText(result: PruneResult, packed: PackedOlder[], screen: Screen): string {
  if (screen.quiet && !result.dryRun) return ''
  return `${removalText(result, screen)}${packedText(packed, result)}`
}

function packedText(packed: PackedOlder[], { dryRun }: PruneResult): string {
  if (packed.length === 0) return ''
  const saved = (bytes: number) =>
    dryRun ? `saves about ${formatBytes(bytes)}` : `${formatBytes(bytes)} saved`
  const lines = packed.map(({ backup, savedBytes }) => `  ${backup.id}: ${saved(savedBytes)}`)
  return `\n${dryRun ? 'Would pack' : 'Packed'} what is older than retention.pack_after says:\n${lines.join('\n')}\n`
}

function removalText(result: PruneResult, screen: Screen): string {
  if (result.withoutPolicy !== undefined)
    return `Nothing is removed: no retention policy says what may go.\n${howToWritePolicy(result.withoutPolicy, 'retention:', 'prune --dry-run', screen)}`
  const { kept, pruned, root } = result
  if (kept.length + pruned.length === 0) return `No backups in ${root}.\n`
  return `${[...judgedTable(result, screen), '', screen.style.faint(summary(result))].join('\n')}\n`
}

function judgedJson({ backup, reasons }: JudgedBackup): object {
  return {
    ...backupJson(backup, backup.directory),
    reasons: reasons.map(({ rule, detail = null }) => ({ rule, detail })),
  }
}

/** A backup, here or elsewhere, and why it stays. */
type Judged = Pick<JudgedBackup, 'reasons'> & { backup: StoredBackup }

/** All of them, newest first, with what becomes of each. */
export function judgedTable(
  { kept, pruned, dryRun }: { kept: Judged[]; pruned: Judged[]; dryRun: boolean },
  { now, style, width }: Screen,
): string[] {
  const rows = [...kept, ...pruned].sort((a, b) => (a.backup.id < b.backup.id ? 1 : -1))
  const [header = '', ...lines] = tableLines<Judged>(
    [
      { title: 'ID', value: ({ backup }) => backup.id },
      {
        title: 'AGE',
        value: ({ backup }) => formatAge(now.getTime() - Date.parse(backup.summary.started_at)),
        align: 'right',
      },
      { title: 'KIND', value: ({ backup }) => backup.summary.kind, expendable: 2 },
      {
        title: 'SIZE',
        value: ({ backup }) => formatBytes(backup.ownBytes),
        align: 'right',
        expendable: 1,
      },
      {
        title: 'WHAT',
        value: ({ reasons }) => (reasons.length > 0 ? 'stays' : dryRun ? 'goes' : 'removed'),
        paint: (text, { reasons }) => (reasons.length > 0 ? style.good(text) : style.warning(text)),
      },
      { title: 'WHY', value: why },
    ],
    rows,
    width,
  )
  return [style.strong(header), ...lines]
}

function why({ reasons }: Judged): string {
  if (reasons.length === 0) return 'no rule keeps it'
  return reasons.map(({ rule, detail }) => (detail === undefined ? rule : `${rule} (${detail})`)).join(', ')
}

function summary({ kept, pruned, dryRun, root, moved, freed }: PruneResult): string {
  const size = formatAtLeast(freed)
  const count = kept.length + pruned.length
  const total = `${count} ${count === 1 ? 'backup' : 'backups'} in ${root}`
  if (pruned.length === 0) return `nothing to remove of ${total}`
  const needed =
    moved.length === 0 ? '' : `; ${formatBytes(movedBytes(moved))} of their WAL stay: ${receivers(moved)}`
  return `${dryRun ? 'would remove' : 'removed'} ${pruned.length} of ${total}, ${size}${needed}`
}

function receivers(moved: PruneResult['moved']): string {
  const ids = [...new Set(moved.map(({ to }) => to.id))]
  return `${ids.join(', ')} ${ids.length === 1 ? 'needs' : 'need'} it`
}

/** @param key under which the policy stands; @param command that shows what it would do. */
export function howToWritePolicy(file: string, key: string, command: string, { pgbk }: Screen): string {
  const indent = ' '.repeat(key.includes('\n') ? 8 : 4)
  const rules = [
    'daily: 7            # the newest backup of each of 7 days',
    'weekly: 4           # and of each of 4 weeks',
    'on_demand: 3        # and the 3 newest that were made by hand',
    'window: 14 days     # and all that restoring to any moment of 14 days needs',
    'min: 2              # and never fewer than 2',
  ]
  return `
A policy is written into the configuration, which this command, called here,
reads from this file, unless --config names another:
  ${file}

  ${key}
${rules.map((rule) => `${indent}${rule}`).join('\n')}

This shows what would go then, and why the others stay:
  ${pgbk(command, { config: file })}
`
}
