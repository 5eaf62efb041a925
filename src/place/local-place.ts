import { lstatSync, statSync } from 'node:fs'
import { type LocalBackup, layoutOf, storedBackup } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { type RootLayout, rootLayout } from '../catalog/layout.js'
import { discard, type Partial, publish, startPartial } from '../catalog/partial.js'
import { summarize } from '../catalog/record.js'
import { removeBackup } from '../catalog/remove.js'
import { checkStillThere, unlessRemoved } from '../catalog/removed-meanwhile.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { inParallel } from '../system/files/in-parallel.js'
import { withLock } from '../system/files/lock.js'
import { mostBytes, piecesOf, readSmall } from '../system/files/read-small.js'
import { type TreeEntry, walkTree } from '../system/files/walk-tree.js'
import { type BytePath, bytePath, shownPath } from '../system/paths/byte-path.js'
import { bytesInside } from '../system/paths/inside.js'
import { archiveNames, checkListing, mostListed, type RawListing } from './contract/listing.js'
import type { LeaseKind, WritablePlace } from './contract/place.js'
import { archiveScript } from './ssh/remote-scripts.js'
import { closedSource, complaintsOf, noRoot } from './ssh/scripted.js'
import { localShell } from './ssh/shell.js'
import { nameList } from './ssh/tar-list.js'

const atOnce = 4

/** A root on this machine, which need not be there yet. */
export type LocalPlace = WritablePlace<LocalBackup, Partial>

const lockOf: Record<LeaseKind, (root: RootLayout) => string> = {
  create: (root) => root.createLock,
  pack: (root) => root.packLock,
  catalog: (root) => root.catalogLock,
}

/** @param name as the user wrote it. */
export function localPlace(directory: string, context: Context, name: string = directory): LocalPlace {
  const root = rootLayout(directory)
  const records = new Map<string, Buffer>()
  return {
    name,
    directory,
    locationOf: root.backup,
    async list() {
      return readCatalog(directory)
    },
    async readRecord(backup) {
      const record = records.get(backup.id) ?? readSmall(layoutOf(backup).record, mostBytes.record)
      records.set(backup.id, record)
      return record
    },
    async files(backup) {
      const raw: RawListing = { directories: [], files: [], links: [] }
      await unlessRemoved(backup, context, () => list(backup.directory, raw, context.signal))
      checkStillThere(backup)
      return checkListing(raw, name)
    },
    async read(backup, file, range, take) {
      const path = bytesInside(backup.directory, file)
      try {
        return await take(piecesOf(path, range))
      } catch (cause) {
        // What takes it may lack a file of its own.
        if (systemCode(cause) !== 'ENOENT' || lstatSync(path, { throwIfNoEntry: false })) throw cause
        throw new PgbkError('not-found', `${shownPath(file)} of backup ${backup.id} is gone`, { cause })
      }
    },
    async transfer(backup, names, writer) {
      const gone: string[] = []
      context.progress.step('copying')
      await inParallel(names, atOnce, async (file) => {
        context.signal.throwIfAborted()
        try {
          await writer.copy(bytesInside(backup.directory, file), file)
        } catch (error) {
          if (systemCode(error) !== 'ENOENT') throw error
          gone.push(messageOf(error))
        }
      })
      return gone.slice(0, 5).join('; ')
    },
    async archive({ id }, listing, take) {
      context.progress.step('archiving')
      const names = nameList(archiveNames(id, listing))
      const end = await localShell(context).run(archiveScript(directory), names, take)
      return complaintsOf(end, { host: undefined, directory })
    },
    stage: (startedAt, marker) => startPartial(root, startedAt, marker),
    async publish(partial, record, check) {
      const read = summarize(record)
      const layout = await publish(root, partial, record, check)
      return { ...storedBackup(read, 'whole'), directory: layout.directory }
    },
    discard: ({ layout }) => discard(layout),
    remove: (backup, last) => removeBackup(root, backup, last),
    lease: (kind, options, guarded, work) => withLock(lockOf[kind](root), options, guarded, work),
  }
}

/** One that is there. @throws {PgbkError} `not-found` when it is not, or is no root; `failed` when it may not be read. */
export function existingPlace(name: string, directory: string, context: Context): LocalPlace {
  checkRoot(directory)
  return localPlace(directory, context, name)
}

function checkRoot(directory: string): void {
  const { backups } = rootLayout(directory)
  try {
    if (statSync(backups, { throwIfNoEntry: false })) return
    if (statSync(directory).isDirectory()) throw noRoot(directory)
    throw new PgbkError('not-found', `${directory} is not a directory`)
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    if (systemCode(cause) === 'EACCES') throw closedSource(directory, '')
    throw new PgbkError('not-found', `${directory} does not exist`, {
      cause,
      hint: 'SOURCE is the directory that holds data/, or [USER@]HOST:DIR.',
    })
  }
}

async function list(directory: string, raw: RawListing, signal: AbortSignal): Promise<void> {
  // What has more is refused.
  const enters = () => raw.directories.length + raw.files.length <= mostListed
  await walkTree(bytePath(directory), (entry) => listIn(raw, entry)?.push(entry.name), { signal, enters })
}

/** The list for an entry; none for what is neither a file nor a directory nor a link. */
function listIn(raw: RawListing, { kind }: TreeEntry): BytePath[] | undefined {
  if (kind.isDirectory()) return raw.directories
  if (kind.isSymbolicLink()) return raw.links
  return kind.isFile() ? raw.files : undefined
}
