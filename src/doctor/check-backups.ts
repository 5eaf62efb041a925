import type { LocalBackup } from '../catalog/backup.js'
import { readLastCreate } from '../catalog/last-create.js'
import type { RootLayout } from '../catalog/layout.js'
import { resultOf } from '../catalog/proof.js'
import { unprovenReasons } from '../catalog/proof-outcome.js'
import type { Context, PrintedCommand } from '../context.js'
import { ageMsOf, mostAgeMs } from '../monitoring/health.js'
import { keptForSlot, receiverHealth, slotLimitProblem, slotProblem } from '../monitoring/receiver-health.js'
import type { ConnectedServer } from '../postgres/server/connect-to-server.js'
import { askWalServer, type SlotFacts } from '../postgres/server/wal-server.js'
import { formatAge, formatAgo, formatTime } from '../text/format.js'
import { type ReceiverState, readReceiverState } from '../wal-archive/receiver-state.js'
import { type Check, ok, skipped, warning } from './check.js'

/** Age and proof of what there is, and how the last create ended. */
export function checkBackups(layout: RootLayout, backups: LocalBackup[], context: Context): Check[] {
  const [newest] = backups.filter(({ state }) => state === 'whole')
  return [checkAge(newest, context), checkProof(newest, backups, context), checkLastCreate(layout)]
}

function checkAge(newest: LocalBackup | undefined, { now, pgbk }: Context): Check {
  if (!newest)
    return warning('newest backup', 'there is none yet', `Make the first one:\n  ${pgbk('create')}`)
  const ms = ageMsOf(newest, now())
  const text = `${newest.id}, ${formatAge(ms)} old`
  return ms > mostAgeMs.weekly
    ? warning('newest backup', text, `Make a new one:\n  ${pgbk('create')}`)
    : ok('newest backup', text)
}

function checkProof(newest: LocalBackup | undefined, backups: LocalBackup[], { now, pgbk }: Context): Check {
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
  server: ConnectedServer | undefined,
  slotName: string,
  { now, pgbk }: Context,
): Promise<Check[]> {
  const state = readReceiverState(layout)
  const slot = server && (await askWalServer(server.psql, state?.slot ?? slotName))
  if (!state && !slot?.slot)
    return [ok('WAL receiver', 'none is used: backups go to the end of their own snapshots')]
  const receiver =
    state && receiverHealth(state, now()) === 'alive'
      ? checkRunning(state, slot?.slot ?? undefined, pgbk)
      : checkStopped(state, slot?.slot ?? undefined, pgbk)
  return slot?.slot ? [receiver, checkSlotLimit(slot.max_slot_wal_keep_size)] : [receiver]
}

function checkRunning(state: ReceiverState, slot: SlotFacts | undefined, pgbk: PrintedCommand): Check {
  if (state.problem !== null) return warning('WAL receiver', state.problem)
  const problem = slot && slotProblem(slot.name, slot)
  if (problem !== undefined)
    return warning('WAL receiver', problem, `Make a backup that needs none of it:\n  ${pgbk('create')}`)
  return ok('WAL receiver', `running since ${formatTime(state.since)}${handOverText(state)}`)
}

function checkStopped(
  state: ReceiverState | undefined,
  slot: SlotFacts | undefined,
  pgbk: PrintedCommand,
): Check {
  const since = state ? ` since ${formatTime(state.updated_at)}` : ''
  const ofSlot = slot ? `; ${slotProblem(slot.name, slot) ?? keptForSlot(slot)}` : ''
  return warning(
    'WAL receiver',
    `not running${since}${ofSlot}`,
    `Start it:\n  ${pgbk('wal receive')}\nOr, if nobody is to receive any more:\n  ${pgbk('wal drop-slot --yes')}`,
  )
}

function handOverText({ handing_over_to: next }: ReceiverState): string {
  return next === null ? '' : `, handing over to backup ${next}`
}

function checkSlotLimit(limit: number): Check {
  const problem = slotLimitProblem(limit)
  if (problem === undefined) return ok('slot limit', `max_slot_wal_keep_size is ${limit} MB`)
  return warning(
    'slot limit',
    problem,
    "As a superuser:\n  ALTER SYSTEM SET max_slot_wal_keep_size = '10GB';\n  SELECT pg_reload_conf();",
  )
}
