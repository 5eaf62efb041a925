import { realpathSync, statSync } from 'node:fs'
import { readCatalog } from '../backup/catalog.js'
import { inParallel } from '../backup/in-parallel.js'
import { rootLayout } from '../backup/layout.js'
import { checkThere, unlessRemoved } from '../backup/removed.js'
import { type TreeEntry, walkTree } from '../backup/walk-tree.js'
import { type BytePath, bytePath } from '../byte-path.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { bytesInside } from '../inside.js'
import { mostBytes, readSmall } from '../read-small.js'
import { archiveNames, checkListing, mostListed, type RawListing } from './listing.js'
import { archiveScript } from './remote-scripts.js'
import { closedSource, complaintsOf, noRoot } from './scripted.js'
import { localShell } from './shell.js'
import type { Source } from './source.js'
import { nameList } from './tar-list.js'

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
    recordOf({ id, layout }) {
      const record = records.get(id) ?? readSmall(layout.record, mostBytes.record)
      records.set(id, record)
      return record
    },
    async listing(backup) {
      const raw: RawListing = { directories: [], files: [], links: [] }
      await unlessRemoved(backup, context, () => list(backup.directory, raw, context.signal))
      checkThere(backup)
      return checkListing(raw, name)
    },
    async transfer(backup, names, receiver) {
      const gone: string[] = []
      context.progress.step('copying')
      await inParallel(names, atOnce, async (file) => {
        context.signal.throwIfAborted()
        try {
          await receiver.copy(bytesInside(backup.directory, file), file)
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
    throw new PgbkError('not-found', `${directory} is no directory`)
  } catch (cause) {
    if (cause instanceof PgbkError) throw cause
    if (systemCode(cause) === 'EACCES') throw closedSource(directory, '')
    throw new PgbkError('not-found', `${directory} is not there`, {
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
