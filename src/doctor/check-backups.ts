import type { Backup } from '../catalog/catalog.js'
import { windowStart } from '../catalog/data-time.js'
import { readLastCreate } from '../catalog/last-create.js'
import type { RootLayout } from '../catalog/layout.js'
import { resultOf } from '../catalog/proof.js'
import { unprovenReasons } from '../catalog/proof-outcome.js'
import type { Context } from '../context.js'
import type { ReachedServer } from '../postgres/server/reach-server.js'
import { askWalServer } from '../postgres/server/wal-server.js'
import { formatAge, formatAgo, formatBytes, formatTime } from '../text/units.js'
import { isReceiverAlive, type ReceiverState, readReceiverState } from '../wal-archive/receiver-state.js'
import { type Check, ok, skipped, warning } from './check.js'

const day = 86_400_000

/** Age and proof of what there is, and how the last create ended. */
export function checkBackups(layout: RootLayout, backups: Backup[], context: Context): Check[] {
  const [newest] = backups.filter(({ state }) => state === 'whole')
  return [checkAge(newest, context), checkProof(newest, backups, context), checkLastCreate(layout)]
}

function checkAge(newest: Backup | undefined, { now, pgbk }: Context): Check {
  if (!newest)
    return warning('newest backup', 'there is none yet', `Make the first one:\n  ${pgbk('create')}`)
  const ms = now().getTime() - Date.parse(windowStart(newest.summary))
  const text = `${newest.id}, ${formatAge(ms)} old`
  return ms > 8 * day
    ? warning('newest backup', text, `Make a new one:\n  ${pgbk('create')}`)
    : ok('newest backup', text)
}

function checkProof(newest: Backup | undefined, backups: Backup[], { now, pgbk }: Context): Check {
  if (!newest) return skipped('proof', 'there is nothing to prove yet')
  if (resultOf(newest.proof) === 'failed')
    return warning(
      'proof',
      `the newest check of ${newest.id} failed`,
      `See what it found:\n  ${pgbk(`show ${newest.id}`)}`,
    )
  if (newest.proof && newest.proof !== 'unreadable' && resultOf(newest.proof) === 'unproven')
    return warning(
      'proof',
      `${newest.id} could not be proven: ${unprovenReasons(newest.proof).join('; ')}`,
      `When that is mended, prove it again:\n  ${pgbk(`verify --prove ${newest.id}`)}`,
    )
  const proven = backups.find(({ proof }) => resultOf(proof) === 'proven')
  if (!proven || proven.proof === undefined || proven.proof === 'unreadable')
    return warning('proof', 'no backup has been proven', `Start one and look:\n  ${pgbk('verify --prove')}`)
  const when = formatAgo(now().getTime() - Date.parse(proven.proof.finished_at))
  return ok('proof', `${proven.id} was proven ${when}`)
}

function checkLastCreate(layout: RootLayout): Check {
  const last = readLastCreate(layout)
  if (!last) return skipped('last create', 'none has been recorded yet')
  const when = formatTime(last.finished_at)
  if (last.error) return warning('last create', `failed at ${when}: ${last.error.message}`)
  return ok('last create', `made ${last.backup} at ${when}`)
}

/** The receiver, where one has run, and the slot that keeps WAL for it. */
export async function checkReceiver(
  layout: RootLayout,
  server: ReachedServer | undefined,
  slotName: string,
  { now, pgbk }: Context,
): Promise<Check[]> {
  const state = readReceiverState(layout)
  const slot = server && (await askWalServer(server.psql, state?.slot ?? slotName))
  if (!state && !slot?.slot)
    return [ok('WAL receiver', 'none is used: backups go to the end of their own snapshots')]
  const isAlive = state !== undefined && isReceiverAlive(state, now())
  const receiver = isAlive
    ? state.problem === null
      ? ok('WAL receiver', `running since ${formatTime(state.since)}${handOverText(state)}`)
      : warning('WAL receiver', state.problem)
    : warning(
        'WAL receiver',
        `not running${state ? ` since ${formatTime(state.updated_at)}` : ''}${slot?.slot ? `; the server keeps ${formatBytes(slot.slot.retained_bytes ?? 0)} of WAL for it` : ''}`,
        `Start it:\n  ${pgbk('wal receive')}\nOr, if nobody is to receive any more:\n  ${pgbk('wal drop-slot --yes')}`,
      )
  return slot?.slot ? [receiver, checkSlotLimit(slot.max_slot_wal_keep_size)] : [receiver]
}

function handOverText({ handing_over_to: next }: ReceiverState): string {
  return next === null ? '' : `, handing over to backup ${next}`
}

function checkSlotLimit(limit: number): Check {
  if (limit !== -1) return ok('slot limit', `max_slot_wal_keep_size is ${limit} MB`)
  return warning(
    'slot limit',
    'max_slot_wal_keep_size is -1 on the server: while nobody receives, WAL fills its disk without limit',
    "As a superuser:\n  ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';\n  SELECT pg_reload_conf();",
  )
}
