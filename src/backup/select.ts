import { PgbkError } from '../errors.js'
import type { Backup, Catalog } from './catalog.js'

/**
 * The backup that a person means: an id, a unique prefix of at least 8 digits, `latest` or `oldest`.
 * `latest` is the newest whole one; `warn` is told which newer ones it skips.
 * @throws {PgbkError} `usage` for a text that can be no id, `not-found` when there is no such backup or more than one.
 */
export function selectBackup(catalog: Catalog, wanted: string, warn: (text: string) => void): Backup {
  if (wanted === 'latest') return latest(catalog, warn)
  if (wanted === 'oldest') return orNone(catalog, catalog.backups.at(-1))
  if (!/^\d{8}(T\d{0,6}Z?)?$/.test(wanted)) {
    throw new PgbkError('usage', `${JSON.stringify(wanted)} is not a backup id`, {
      hint: 'An id looks like 20261120T030000Z; a prefix of at least 8 digits, latest and oldest work too.',
    })
  }
  const matches = catalog.backups.filter((backup) => backup.id.startsWith(wanted))
  if (matches.length > 1) {
    throw new PgbkError('not-found', `${wanted} means more than one backup`, {
      hint: `Choose one of:\n${matches.map((backup) => `  ${backup.id}`).join('\n')}`,
    })
  }
  return matches[0] ?? noSuchBackup(catalog, wanted)
}

function latest(catalog: Catalog, warn: (text: string) => void): Backup {
  const index = catalog.backups.findIndex((backup) => backup.state === 'whole')
  const backup = orNone(catalog, catalog.backups[index])
  for (const { id, state } of catalog.backups.slice(0, index))
    warn(`latest skips ${id}: its state is ${state}`)
  return backup
}

function orNone(catalog: Catalog, backup: Backup | undefined): Backup {
  if (backup) return backup
  throw new PgbkError('not-found', `there is no whole backup in ${catalog.root}`, {
    hint: emptyHint(catalog),
  })
}

function noSuchBackup(catalog: Catalog, wanted: string): never {
  const rejected = catalog.rejected.find(({ name }) => name === wanted)
  if (rejected) {
    throw new PgbkError('not-found', `${wanted} is not a whole backup: ${rejected.reason}`, {
      hint: 'See pgbk list for those that are.',
    })
  }
  throw new PgbkError('not-found', `there is no backup ${wanted} in ${catalog.root}`, {
    hint: emptyHint(catalog),
  })
}

function emptyHint(catalog: Catalog): string {
  return catalog.backups.length > 0
    ? 'See pgbk list for those that are there.'
    : 'Make the first one with pgbk create, or name the right root with -C.'
}
