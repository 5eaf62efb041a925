import { isId } from '../../catalog/id.js'
import { rootLayout } from '../../catalog/layout.js'
import { namesIn } from '../../system/paths/names-in.js'

/** What can stand for a backup, or for an instance or a run, newest first. From names alone: a shell waits for it at every Tab. */
export function completionNames(kind: 'ids' | 'names', root: string): string[] {
  const { backups, instances, runs } = rootLayout(root)
  const visible = (directory: string) => namesIn(directory, 'EACCES').filter((name) => !name.startsWith('.'))
  if (kind === 'ids') return visible(backups).filter(isId).sort().reverse()
  return [...visible(instances), ...visible(runs)].sort().reverse()
}
