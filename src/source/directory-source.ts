import { type Dirent, realpathSync, statSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { readCatalog } from '../backup/catalog.js'
import { inParallel } from '../backup/in-parallel.js'
import { rootLayout } from '../backup/layout.js'
import { checkThere, unlessRemoved } from '../backup/removed.js'
import type { Context } from '../context.js'
import { messageOf, PgbkError, systemCode } from '../errors.js'
import { inside } from '../inside.js'
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
      await unlessRemoved(backup, context, () => list(Buffer.from(backup.directory), raw, context.signal))
      checkThere(backup)
      return checkListing(raw, name)
    },
    async transfer(backup, names, receiver) {
      const gone: string[] = []
      context.progress.step('copying')
      await inParallel(names, atOnce, async (file) => {
        context.signal.throwIfAborted()
        try {
          await receiver.copy(inside(backup.directory, file), file)
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

/** One directory after the other, not one within the other: however deep they are, and however many. */
async function list(top: Buffer, raw: RawListing, signal: AbortSignal): Promise<void> {
  const slash = Buffer.from('/')
  const waiting: Buffer[] = [Buffer.alloc(0)]
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    signal.throwIfAborted()
    const here = below.length === 0 ? top : Buffer.concat([top, slash, below])
    const entries: Dirent<Buffer>[] = await readdir(here, { withFileTypes: true, encoding: 'buffer' })
    for (const entry of entries) {
      const name = below.length === 0 ? entry.name : Buffer.concat([below, slash, entry.name])
      kindIn(raw, entry)?.push(name)
      if (entry.isDirectory()) waiting.push(name)
    }
    // What has so many is refused.
    if (raw.directories.length + raw.files.length > mostListed) return
  }
}

/** The list for an entry; none for what is neither a file nor a directory nor a link. */
function kindIn(raw: RawListing, entry: Dirent<Buffer>): Buffer[] | undefined {
  if (entry.isDirectory()) return raw.directories
  if (entry.isSymbolicLink()) return raw.links
  return entry.isFile() ? raw.files : undefined
}
