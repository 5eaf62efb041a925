import type { DeleteFromStoreResult } from '../../removal/in-store/delete-from-store.js'
import type { JudgedThere } from '../../removal/in-store/judge-store.js'
import type { WalMoveThere } from '../../removal/in-store/keep-wal-there.js'
import type { PruneStoreResult } from '../../removal/in-store/prune-store.js'
import { formatBytes } from '../../text/format.js'
import { backupJson } from '../parts/backup-json.js'
import { printable, type Screen } from '../screen.js'
import { howToWritePolicy, judgedTable } from '../views/prune-view.js'

type Kept = PruneStoreResult['locked'][number]

export function deletedThereJson({ deleted, moved }: DeleteFromStoreResult): object {
  return {
    deleted: deleted
      .filter(({ isGone }) => isGone)
      .map(({ backup, location, bytes }) => ({ ...backupJson(backup, location), freed_bytes: bytes })),
    locked: deleted.flatMap(({ kept }) => kept.map(lockedJson)),
    moved_wal: moved.map(moveJson),
  }
}

export function deletedThereText({ deleted }: DeleteFromStoreResult, { quiet }: Screen): string {
  if (quiet) return ''
  return deleted
    .flatMap(({ backup, isGone, bytes, kept }) => [
      isGone ? `Deleted ${backup.id} (${formatBytes(bytes)})\n` : `${backup.id} stays\n`,
      lockedText(kept),
    ])
    .join('')
}

export function prunedThereJson(result: PruneStoreResult): object {
  const { dryRun, kept, pruned, moved, freedBytes, locked, swept, locationOf } = result
  const judgedJson = ({ backup, reasons }: JudgedThere) => ({
    ...backupJson(backup, locationOf(backup.id)),
    reasons: reasons.map(({ rule, detail = null }) => ({ rule, detail })),
  })
  return {
    kept: kept.map(judgedJson),
    pruned: pruned.map(judgedJson),
    locked: [...locked, ...swept.kept].map(lockedJson),
    moved_wal: moved.map(moveJson),
    freed_bytes: freedBytes,
    swept: swept.ids,
    dry_run: dryRun,
  }
}

/** Every backup with what becomes of it and why; quiet, only a dry run has something to say. */
export function prunedThereText(result: PruneStoreResult, screen: Screen): string {
  const { kept, pruned, dryRun, store, locked, swept, freedBytes } = result
  if (screen.quiet && !dryRun) return ''
  if (result.withoutPolicy !== undefined)
    return `Nothing is removed: no retention policy says what may go from ${printable(store)}.\n${howToWritePolicy(result.withoutPolicy, `stores:\n    ${/^[\w-]+$/.test(store) ? store : 'NAME'}:\n      url: ...\n      retention:`, `prune --from ${store} --dry-run`, screen)}`
  const count = kept.length + pruned.length
  const total = `${count} ${count === 1 ? 'backup' : 'backups'} in ${printable(store)}`
  const said =
    pruned.length === 0
      ? `nothing to remove of ${total}`
      : `${dryRun ? 'would remove' : 'removed'} ${pruned.length} of ${total}, ${formatBytes(freedBytes)}`
  const lines = count === 0 ? [] : [...judgedTable({ kept, pruned, dryRun }, screen), '']
  return [
    ...lines.map((line) => `${line}\n`),
    `${screen.style.faint(said)}\n`,
    lockedText([...locked, ...swept.kept]),
    sweptText(result),
  ].join('')
}

function sweptText({ swept: { ids }, dryRun }: PruneStoreResult): string {
  return ids
    .map((id) => `${dryRun ? 'would remove' : 'removed'} what was left of ${id}, which was never whole\n`)
    .join('')
}

function lockedText(kept: Kept[]): string {
  return kept
    .map(
      ({ key, until }) =>
        `kept: ${printable(key)}, ${until ? `locked until ${until.toISOString()}` : 'on legal hold'}\n`,
    )
    .join('')
}

function lockedJson({ key, until }: Kept): object {
  return { key, until: until?.toISOString() ?? null }
}

function moveJson({ from, to, files }: WalMoveThere): object {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  return { from: from.id, to: to.id, segments: files.length, size_bytes: bytes }
}
