import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { shellWord } from '../text/shell-word.js'
import type { StoredBackup } from './backup.js'
import type { Catalog } from './catalog.js'
import { recordFault } from './check-cluster.js'
import { resultOf } from './proof.js'

type SelectContext = Pick<Context, 'progress' | 'pgbk'>

/**
 * The backup that a person means: an id, a unique prefix of at least 8 digits, `latest` or `oldest`.
 * `latest` is the newest whole one with a record that can be used, which no check has failed; which newer ones it skips is said.
 * @param source the other root that the catalogue is of, as `resolveSource` gives it.
 * @throws {PgbkError} `usage` for a text that cannot be an id, `not-found` when there is no such backup or more than one.
 */
export function selectBackup<B extends StoredBackup>(
  catalog: Catalog<B>,
  wanted: string,
  context: SelectContext,
  source?: string,
): B {
  const ways = waysOn(context, source)
  if (wanted === 'latest') return latest(catalog, ways, context)
  if (wanted === 'oldest') return orNone(catalog, catalog.backups.at(-1), ways)
  if (!/^\d{8}(T\d{0,6}Z?)?$/.test(wanted)) {
    throw new PgbkError('usage', `${JSON.stringify(wanted)} is not a backup id`, {
      hint: 'An id looks like 20261120T030000Z; a prefix of at least 8 digits, latest and oldest work too.',
    })
  }
  const matches = catalog.backups.filter((backup) => backup.id.startsWith(wanted))
  if (matches.length > 1) {
    throw new PgbkError('not-found', `${wanted} matches more than one backup`, {
      hint: `Choose one of:\n${matches.map((backup) => `  ${backup.id}`).join('\n')}`,
    })
  }
  return matches[0] ?? noSuchBackup(catalog, wanted, ways)
}

function latest<B extends StoredBackup>(catalog: Catalog<B>, ways: WaysOn, { progress }: SelectContext): B {
  const index = catalog.backups.findIndex((backup) => whyNotLatest(backup) === undefined)
  const skipped = index === -1 ? catalog.backups : catalog.backups.slice(0, index)
  const backup = catalog.backups[index]
  if (!backup) throw noneIsLatest(catalog, skipped, ways)
  for (const one of skipped) progress.warn(`latest skips ${one.id}: ${whyNotLatest(one)}`)
  return backup
}

/** Why `latest` does not mean this one; undefined when it may. */
function whyNotLatest(backup: StoredBackup): string | undefined {
  const { state, proof } = backup
  if (state !== 'whole') return `its state is ${state}`
  return resultOf(proof) === 'failed' ? 'its newest check failed' : recordFault(backup)
}

function noneIsLatest(catalog: Catalog<StoredBackup>, skipped: StoredBackup[], ways: WaysOn): PgbkError {
  const whole = skipped.filter(({ state }) => state === 'whole')
  if (whole.length === 0) return noWholeBackup(catalog, ways)
  const why = whole.every((one) => recordFault(one) === undefined)
    ? 'has failed its newest check'
    : 'has failed its newest check, or has a record that cannot be used'
  return new PgbkError('not-found', `every whole backup in ${catalog.root} ${why}`, {
    hint: `See what is wrong, or name one by its id:\n${whole.map(({ id }) => `  ${ways.show(id)}`).join('\n')}`,
  })
}

function orNone<B extends StoredBackup>(catalog: Catalog<B>, backup: B | undefined, ways: WaysOn): B {
  if (backup) return backup
  throw noWholeBackup(catalog, ways)
}

function noWholeBackup(catalog: Catalog<StoredBackup>, ways: WaysOn): PgbkError {
  const closed = catalog.backups.length === 0 && catalog.rejected.find((one) => one.closed !== undefined)
  if (closed)
    return new PgbkError(
      'failed',
      `cannot read ${catalog.root}/data/backup/${closed.name}: permission denied`,
      {
        hint: 'Its mode keeps you out, although it is yours: open it (chmod u+rwX), or run pgbk as root.',
      },
    )
  return new PgbkError('not-found', `there is no whole backup in ${catalog.root}`, {
    hint: hintFor(catalog, ways),
  })
}

function noSuchBackup(catalog: Catalog<StoredBackup>, wanted: string, ways: WaysOn): never {
  const rejected = catalog.rejected.find(({ name }) => name === wanted)
  if (rejected) {
    throw new PgbkError('not-found', `${wanted} is not a whole backup: ${rejected.reason}`, {
      hint: `See which ones are:\n  ${ways.list}`,
    })
  }
  throw new PgbkError('not-found', `there is no backup ${wanted} in ${catalog.root}`, {
    hint: hintFor(catalog, ways),
  })
}

function hintFor(catalog: Catalog<StoredBackup>, ways: WaysOn): string {
  return catalog.backups.length > 0 ? `See those that are there:\n  ${ways.list}` : ways.first
}

/** Commands that go on from here, and what to do where there is no backup at all. */
interface WaysOn {
  list: string
  show(id: string): string
  first: string
}

function waysOn({ pgbk }: SelectContext, source: string | undefined): WaysOn {
  const from = source === undefined ? '' : ` --from ${shellWord(source)}`
  return {
    list: pgbk(`list${from}`),
    show: (id) => pgbk(`show ${id}${from}`),
    first:
      source === undefined
        ? `Make the first one, or name the right root with -C:\n  ${pgbk('create')}`
        : 'Name the right root with --from.',
  }
}
