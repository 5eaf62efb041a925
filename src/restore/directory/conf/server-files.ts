import { dirname, join } from 'node:path'
import { type ReadableBackup, recordOf } from '../../../catalog/backup.js'
import { majorOf } from '../../../catalog/record.js'
import { PgbkError } from '../../../errors.js'
import { ordinaryConfFile } from '../../../snapshot/conf/conf-file.js'
import { countingIn, type IncludedFile, includedFiles } from '../../../snapshot/conf/included-files.js'
import { relativeInside } from '../../../system/paths/inside.js'
import { namesIn } from '../../../system/paths/names-in.js'
import { autoConfName, dataDirectoryOf, originalOf, serverFileNames } from './server-file-names.js'

/** One of the server's configuration files on its way into a data directory. */
interface ServerFile {
  /** On the server. */
  path: string
  /** Below the data directory. */
  name: string
  content: Buffer
  /** Whether it is like postgresql.conf, or like pg_hba.conf. */
  kind: 'conf' | 'auth'
}

/**
 * The server's configuration files in a backup: those that create has collected, and those that have come with the data directory and
 * are included by one of them; earlier versions knew nothing of some.
 * @param data the data directory as it has come: where this is called, it may have left the snapshot.
 * @throws {PgbkError} `damaged` when one of them is missing in the backup, or has a name of the data.
 */
export function serverFiles(backup: ReadableBackup, data: string): Map<string, ServerFile> {
  const files = new Map<string, ServerFile>()
  const names = serverFileNames(backup)
  for (const { path, copy } of recordOf(backup).config_files) {
    const content = originalOf(backup, copy)
    if (content === undefined)
      throw new PgbkError('damaged', `conf/original/${copy} is missing in backup ${backup.id}`)
    files.set(path, { path, name: names.get(path) ?? copy, content, kind: 'conf' })
  }
  const directory = dataDirectoryOf(backup, data)
  const path = join(directory ?? '/', autoConfName)
  const content = originalOf(backup, autoConfName) ?? Buffer.alloc(0)
  files.set(path, { path, name: autoConfName, content, kind: 'conf' })
  follow(files, directory === undefined ? undefined : { directory, data }, majorOf(recordOf(backup)))
  return files
}

/** What the server had as its data directory, and where that is now. */
interface DataPlace {
  directory: string
  data: string
}

/** Adds what they include, and finds out which of them are like pg_hba.conf: those come first, for what they include is so too. */
function follow(files: Map<string, ServerFile>, place: DataPlace | undefined, major: number): void {
  const isAuth = ({ name }: ServerFile) => /^pg_(hba|ident)\.conf$/.test(name)
  const roots = [...files.values()]
  const seen = new Set<string>()
  const walk = (file: ServerFile, kind: ServerFile['kind']) => {
    if (seen.has(file.path)) return
    seen.add(file.path)
    files.set(file.path, { ...file, kind })
    const text = file.content.toString('latin1')
    for (const included of includedFiles(text, file.path, kind, major))
      for (const next of filesOf(included, files, place)) walk(next, kind)
  }
  for (const file of roots.filter(isAuth)) walk(file, 'auth')
  for (const file of roots) walk(file, 'conf')
}

function filesOf(
  { type, path }: IncludedFile,
  files: ReadonlyMap<string, ServerFile>,
  place: DataPlace | undefined,
): ServerFile[] {
  const isIt = (file: ServerFile) => path === (type === 'include_dir' ? dirname(file.path) : file.path)
  const known = [...files.values()].filter(isIt)
  const name = place && relativeInside(place.directory, path)
  if (known.length > 0 || !place || name === undefined) return known
  const names =
    type === 'include_dir'
      ? countingIn(namesIn(join(place.data, name))).map((one) => join(name, one))
      : [name]
  return names.flatMap((one) => {
    const content = ordinaryConfFile(join(place.data, one), place.data)
    return content ? [{ path: join(place.directory, one), name: one, content, kind: 'conf' }] : []
  })
}
