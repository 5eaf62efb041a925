import { existsSync } from 'node:fs'
import type { RootLayout } from '../catalog/layout.js'
import {
  discard,
  findLeftOvers,
  findLeftOversOf,
  type LeftOver,
  type Partial,
  type PartialMarker,
} from '../catalog/partial.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { sweepForms } from '../packing/change-form.js'
import type { LocalPlace } from '../place/local-place.js'
import type { Psql } from '../postgres/connection/psql.js'
import { endOrphans } from '../postgres/programs/orphans.js'
import { endWalSenders } from '../postgres/server/wal-senders.js'
import { type HeldLock, withLock } from '../system/files/lock.js'

/**
 * Clears away what killed creates and deletes have left: their pg_basebackup, their WAL senders on the server, their
 * directories. What carries no marker of pgbk is left alone and named.
 * @returns whether there was anything.
 */
export async function removeLeftOvers(root: RootLayout, psql: Psql, context: Context): Promise<boolean> {
  // A root that is new has no lock file, and nothing to sweep.
  if (!existsSync(root.createLock)) return false
  return withLock(root.createLock, { purpose: 'create' }, context, (guarded, lock) =>
    sweepLocked(root, psql, lock, guarded),
  )
}

async function sweepLocked(root: RootLayout, psql: Psql, lock: HeldLock, context: Context): Promise<boolean> {
  await sweepForms(root, context)
  const options = { purpose: 'sweep' }
  const sweeping = withLock(root.packLock, options, context, async (guarded) =>
    sweep(await findLeftOvers(root), { root, psql, lock }, guarded),
  )
  return sweeping.catch(async (error) => {
    if (!(error instanceof PgbkError) || error.code !== 'locked') throw error
    context.progress.detail('a pack goes on: only what creates have left is cleared away')
    return sweep(await findLeftOversOf(root, ['create']), { root, psql, lock }, context)
  })
}

async function sweep(
  found: LeftOver[],
  { root, psql, lock }: { root: RootLayout; psql: Psql; lock: HeldLock },
  context: Context,
): Promise<boolean> {
  for (const leftOver of found) {
    if (!leftOver.marker) {
      context.progress.warn(
        `${leftOver.layout.directory} is left alone: nothing in it shows that pgbk made it`,
      )
    } else if (leftOver.marker.made_by === 'create') {
      await endCreate(leftOver, leftOver.marker, psql, context)
      await remove(leftOver, lock, context)
    } else {
      await sweepDelete(root, leftOver, context)
    }
  }
  return found.some(({ marker }) => marker)
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
async function sweepDelete(root: RootLayout, leftOver: LeftOver, context: Context): Promise<void> {
  try {
    await withLock(root.catalogLock, { purpose: 'sweep' }, context, (guarded, lock) =>
      remove(leftOver, lock, guarded),
    )
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'locked') throw error
    context.progress.detail(`${leftOver.name} is being deleted by another pgbk`)
  }
}

async function remove({ name, layout }: LeftOver, lock: HeldLock, { progress }: Context): Promise<void> {
  if (!existsSync(layout.directory)) return
  await lock.check()
  await discard(layout)
  progress.say(`removed ${name}, the remains of a command that did not end`)
}

/** Of a create that has failed; why it has matters more than what fails here, which the next create takes up again. */
export async function cleanUp(
  partial: Partial,
  { place, server, applicationName }: { place: LocalPlace; server: { psql: Psql }; applicationName: string },
  { progress }: Context,
): Promise<void> {
  progress.step('cleaning up')
  await tryEndWalSenders(
    { ...server.psql, signal: undefined, timeoutMs: 20_000 },
    applicationName,
    progress.warn,
  )
  try {
    await place.discard(partial)
  } catch (error) {
    progress.warn(
      `${partial.layout.directory} could not be removed, the next create will try again: ${messageOf(error)}`,
    )
  }
}

/** For cleaning up: a server that cannot be asked is a warning, because the reason to clean up matters more. */
async function tryEndWalSenders(
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
