import { PgbkError } from '../errors.js'
import type { Backup, Catalog } from './catalog.js'
import { resultOf } from './proof.js'

/**
 * The backup that a person means: an id, a unique prefix of at least 8 digits, `latest` or `oldest`.
 * `latest` is the newest whole one that no check has failed; `warn` is told which newer ones it skips.
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
  const index = catalog.backups.findIndex((backup) => whyNot(backup) === undefined)
  const skipped = index === -1 ? catalog.backups : catalog.backups.slice(0, index)
  const backup = catalog.backups[index]
  if (!backup) throw noneIsLatest(catalog, skipped)
  for (const one of skipped) warn(`latest skips ${one.id}: ${whyNot(one)}`)
  return backup
}

function whyNot({ state, proof }: Backup): string | undefined {
  if (state !== 'whole') return `its state is ${state}`
  return resultOf(proof) === 'failed' ? 'its newest check failed' : undefined
}

function noneIsLatest(catalog: Catalog, skipped: Backup[]): PgbkError {
  const whole = skipped.filter(({ state }) => state === 'whole')
  if (whole.length === 0) return noWholeBackup(catalog)
  return new PgbkError('not-found', `every whole backup in ${catalog.root} has failed its newest check`, {
    hint: `See what is wrong with pgbk show, or name one by its id:\n${whole.map(({ id }) => `  ${id}`).join('\n')}`,
  })
}

function orNone(catalog: Catalog, backup: Backup | undefined): Backup {
  if (backup) return backup
  throw noWholeBackup(catalog)
}

function noWholeBackup(catalog: Catalog): PgbkError {
  return new PgbkError('not-found', `there is no whole backup in ${catalog.root}`, {
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
