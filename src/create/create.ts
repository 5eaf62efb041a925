import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { LocalBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { checkCluster } from '../catalog/check-cluster.js'
import type { RootLayout } from '../catalog/layout.js'
import { claimRoot, makeRoot } from '../catalog/prepare-root.js'
import { unprovenReasons } from '../catalog/proof-outcome.js'
import type { Settings } from '../config/load.js'
import type { Context } from '../context.js'
import { type LocalPlace, localPlace } from '../place/local-place.js'
import type { ConnectionFlags } from '../postgres/connection/connection.js'
import { type ConnectedServer, connectToServer } from '../postgres/server/connect-to-server.js'
import { checkServer } from '../postgres/server/preflight.js'
import { readServerFacts } from '../postgres/server/server-facts.js'
import { readStandbyState, standbyWarning } from '../postgres/server/standby-state.js'
import type { SandboxMode } from '../run/enclosure/start-enclosed.js'
import { prove, withSandbox } from '../run/proof/prove.js'
import { checkPlainLine } from '../text/plain-line.js'
import { checkDisk } from './check-disk.js'
import { checkRate } from './checks.js'
import { makeBackup } from './make-backup.js'
import { remember } from './remember.js'
import { serverLine } from './server-line.js'
import { warnOfSharedDisk } from './shared-disk.js'
import { sweep } from './sweep.js'

export interface CreateOptions extends ConnectionFlags {
  label?: string
  scheduled?: boolean
  checkpoint?: 'fast' | 'spread'
  maxRate?: string | undefined
  verify?: boolean
  newCluster?: boolean
  /** Really start the finished backup, too. */
  prove?: boolean
  sandbox?: SandboxMode
}

/** Backs the server up. All checks come before the first write; a backup is listed only when it is whole. */
export async function create(
  options: CreateOptions,
  settings: Settings,
  context: Context,
): Promise<LocalBackup> {
  const maxRate = options.maxRate ?? settings.create.max_rate
  checkPlainLine(options.label, 'label')
  checkRate(maxRate)
  const root = claimRoot(settings.root, context)
  return remember(root, options.scheduled ?? false, context, () =>
    createIn(root, { ...options, maxRate }, settings, context),
  )
}

async function createIn(
  root: RootLayout,
  options: CreateOptions,
  settings: Settings,
  context: Context,
): Promise<LocalBackup> {
  const applicationName = `pgbk_create_${randomBytes(6).toString('hex')}`
  let server = await connectToServer(options, settings, applicationName, context)
  context.progress.say(serverLine(server.facts))
  const place = localPlace(settings.root, context)
  checkCluster(await place.list(), 'this server', server.facts, options.newCluster ?? false)
  // A killed create may still hold the WAL senders, the slot and the disk that this one needs.
  if (await sweepBefore(root, place, server, context))
    server = { ...server, facts: await readServerFacts(server.psql) }
  await checkServer(server.psql, server.facts)
  const sharing = await checkDisk(root, server.facts, context.progress)
  const standby = server.facts.in_recovery ? await readStandbyState(server.psql) : undefined
  const behind = standby && standbyWarning(standby)
  if (behind !== undefined) context.progress.warn(behind)

  makeRoot(root)
  await warnOfSharedDisk(root, sharing, context)
  const backup = await place.lease('create', { purpose: 'create' }, context, (guarded, lease) =>
    makeBackup(
      {
        place,
        server,
        standby,
        applicationName,
        label: options.label,
        scheduled: options.scheduled ?? false,
        checkpoint: options.checkpoint ?? settings.create.checkpoint,
        maxRate: options.maxRate,
        verify: options.verify ?? settings.create.verify,
        lease,
      },
      guarded,
    ),
  )
  return options.prove ? withProof(backup, withSandbox(settings, options.sandbox), context) : backup
}

/** Not under the lock: the next create need not wait. */
async function withProof(backup: LocalBackup, settings: Settings, context: Context): Promise<LocalBackup> {
  const proof = await prove(readCatalog(settings.root), backup, [], settings, context)
  for (const reason of unprovenReasons(proof)) context.progress.warn(`${backup.id} is not proven: ${reason}`)
  return { ...backup, proof }
}

/** A root that is new has no lock file, and nothing to sweep. */
async function sweepBefore(
  root: RootLayout,
  place: LocalPlace,
  { psql }: ConnectedServer,
  context: Context,
): Promise<boolean> {
  if (!existsSync(root.createLock)) return false
  return (
    (await place.lease('create', { purpose: 'create' }, context, (guarded, lease) =>
      sweep({ root, place, psql, lease }, guarded),
    )) > 0
  )
}
