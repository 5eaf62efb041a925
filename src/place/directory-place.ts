import { realpathSync, statSync } from 'node:fs'
import { layoutOf } from '../catalog/backup.js'
import { readCatalog } from '../catalog/catalog.js'
import { rootLayout } from '../catalog/layout.js'
import { checkThere, unlessRemoved } from '../catalog/removed.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { inParallel } from '../system/files/in-parallel.js'
import { mostBytes, readSmall } from '../system/files/read-small.js'
import { type TreeEntry, walkTree } from '../system/files/walk-tree.js'
import { type BytePath, bytePath } from '../system/paths/byte-path.js'
import { bytesInside } from '../system/paths/inside.js'
import { archiveNames, checkListing, mostListed, type RawListing } from './contract/listing.js'
import type { Source } from './contract/place.js'
import { archiveScript } from './ssh/remote-scripts.js'
import { closedSource, complaintsOf, noRoot } from './ssh/scripted.js'
import { localShell } from './ssh/shell.js'
import { nameList } from './ssh/tar-list.js'

const atOnce = 4

/** @throws {PgbkError} `not-found` when it is not there, or no root; `failed` when it may not be read. */
export function directorySource(name: string, directory: string, context: Context): Source {
  checkRoot(directory)
  const records = new Map<string, Buffer>()
  return {
    name,
    realDirectory: realpathSync(directory),
    async catalog() {
      return readCatalog(directory)
    },
    recordOf(backup) {
      const record = records.get(backup.id) ?? readSmall(layoutOf(backup).record, mostBytes.record)
      records.set(backup.id, record)
      return record
    },
    async listing(backup) {
      const raw: RawListing = { directories: [], files: [], links: [] }
      await unlessRemoved(backup, context, () => list(backup.directory, raw, context.signal))
      checkThere(backup)
      return checkListing(raw, name)
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
    async archive({ id }, listing, read) {
      context.progress.step('archiving')
      const names = nameList(archiveNames(id, listing))
      const end = await localShell(context).run(archiveScript(directory), names, read)
      return complaintsOf(end, { host: undefined, directory })
    },
  }
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
