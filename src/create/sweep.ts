import { existsSync } from 'node:fs'
import type { RootLayout } from '../catalog/layout.js'
import { findLeftOvers, type LeftOver, type PartialMarker } from '../catalog/partial.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import type { LocalPlace } from '../place/local-place.js'
import type { Psql } from '../postgres/connection/psql.js'
import { endOrphans } from '../postgres/programs/orphans.js'
import { endWalSenders } from '../postgres/server/wal-senders.js'
import type { HeldLock } from '../system/files/lock.js'

export interface SweepJob {
  root: RootLayout
  place: LocalPlace
  psql: Psql
  /** That of `create`. */
  lease: HeldLock
}

/**
 * Clears away what killed creates and deletes have left: their pg_basebackup, their WAL senders on the server, their
 * directories. What carries no marker of pgbk is left alone and named. Only under the create lock.
 * Returns how many there were.
 */
export async function sweep(job: SweepJob, context: Context): Promise<number> {
  const { root, place, psql, lease } = job
  const found = await findLeftOvers(root)
  for (const leftOver of found) {
    if (!leftOver.marker) {
      context.progress.warn(
        `${leftOver.layout.directory} is left alone: nothing in it shows that pgbk made it`,
      )
    } else if (leftOver.marker.made_by === 'create') {
      await endCreate(leftOver, leftOver.marker, psql, context)
      await remove(leftOver, place, lease, context)
    } else {
      await sweepDelete(place, leftOver, context)
    }
  }
  return found.filter(({ marker }) => marker).length
}

async function endCreate(
  { name, layout }: LeftOver,
  marker: PartialMarker,
  psql: Psql,
  context: Context,
): Promise<void> {
  const ended = await endOrphans(layout.data, context.env)
  if (ended > 0)
    context.progress.say(`ended the pg_basebackup of ${name}, which its killed create had left running`)
  if (marker.application_name !== undefined) {
    await tryEndWalSenders(psql, marker.application_name, context.progress.warn)
  }
}

/** A delete that still runs holds the catalog lock, and needs no help. */
async function sweepDelete(place: LocalPlace, leftOver: LeftOver, context: Context): Promise<void> {
  try {
    await place.lease('catalog', { purpose: 'sweep' }, context, (guarded, lease) =>
      remove(leftOver, place, lease, guarded),
    )
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'locked') throw error
    context.progress.detail(`${leftOver.name} is being deleted by another pgbk`)
  }
}

async function remove(
  leftOver: LeftOver,
  place: LocalPlace,
  lease: HeldLock,
  { progress }: Context,
): Promise<void> {
  if (!existsSync(leftOver.layout.directory)) return
  await lease.check()
  await place.discard({ id: leftOver.name, layout: leftOver.layout })
  progress.say(`removed ${leftOver.name}, the remains of a command that did not end`)
}

/** For cleaning up: a server that cannot be asked is a warning, because the reason to clean up matters more. */
export async function tryEndWalSenders(
  psql: Psql,
  applicationName: string,
  warn: (text: string) => void,
): Promise<void> {
  try {
    const left = await endWalSenders(psql, applicationName)
    if (left > 0)
      warn(
        `${left} WAL senders named ${applicationName} are still on the server; end them with pg_terminate_backend()`,
      )
  } catch (error) {
    warn(`could not look for WAL senders left on the server: ${messageOf(error)}`)
  }
}
