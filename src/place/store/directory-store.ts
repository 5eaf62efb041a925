import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../../context.js'
import { explained } from '../../errors.js'
import { placeDurably, replaceDurably } from '../../system/files/durable.js'
import { kindOf, oddFile, piecesOf } from '../../system/files/read-small.js'
import { walkTree } from '../../system/files/walk-tree.js'
import { bytePath, shownPath } from '../../system/paths/byte-path.js'
import { inside } from '../../system/paths/inside.js'
import { goneFrom } from './gone.js'
import { checkDirectory, ifThere, keyPath, placeFor, removeEmptyAbove } from './key-path.js'
import type { ObjectStore, StoredObject } from './object-store.js'
import { draftsOf, keyOfDraft, sendToFile } from './send-to-file.js'

/**
 * A store in a directory of this machine, which may be mounted. What an object is made in has another name until it is whole and on disk.
 * The directory itself is never made: where it is missing, a disk is not mounted. No link below it is followed.
 * @param name as the user wrote it.
 */
export function directoryStore(directory: string, context: Context, name: string = directory): ObjectStore {
  const within = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    context.signal.throwIfAborted()
    return work().catch((cause) => Promise.reject(explained(cause, `${what} in ${directory}`, closedHint)))
  }
  const stat = async (key: string) => {
    const path = await keyPath(directory, key)
    return path === undefined ? undefined : objectAt(path, key)
  }
  return {
    name,
    directory,
    locationOf: (key) => join(directory, key),
    list: (prefix) =>
      objectsIn(directory, prefix, context, (path) => (keyOfDraft(path) === undefined ? path : undefined)),
    unfinished: (prefix) => objectsIn(directory, prefix, context, keyOfDraft),
    directoriesIn: (prefix) =>
      within(`list ${prefix}`, async () => {
        const names: string[] = []
        await walk(directory, prefix, context, false, (key, kind) => {
          if (kind.isDirectory()) names.push(key.slice(prefix.length))
        })
        return names
      }),
    stat: (key) => within(`look for ${key}`, () => stat(key)),
    async read(key, range, take) {
      const path = await within(`look for ${key}`, async () => {
        if (!(await stat(key))) throw goneFrom(name, key)
        return inside(directory, key)
      })
      return take(explainedPieces(piecesOf(path, range), `read ${key} in ${directory}`))
    },
    put: (key, bytes, ifAbsent) =>
      within(`write ${key}`, async () => {
        const path = await placeFor(directory, key)
        if (ifAbsent) return placeDurably(path, bytes)
        await replaceDurably(path, bytes)
        return true
      }),
    send: (key, what, onBytes) =>
      within(`write ${key}`, async () => {
        await sendToFile(await placeFor(directory, key), what, onBytes, context)
        const sent = await stat(key)
        if (!sent) throw goneFrom(name, key)
        return sent
      }),
    remove: (keys) =>
      within('remove what is', async () => {
        await removeFiles(directory, keys, (path) => [path, ...draftsOf(path)])
        return []
      }),
    discard: (keys) => within('remove what was left', () => removeFiles(directory, keys, draftsOf)),
    close: async () => {},
  }
}

const closedHint = 'Run pgbk as the user whom that directory belongs to.'

/** @throws {PgbkError} `damaged` for what is neither a file nor a directory. */
async function objectAt(path: string, key: string): Promise<StoredObject | undefined> {
  const found = await ifThere(lstat(path))
  if (!found || found.isDirectory()) return undefined
  if (!found.isFile()) throw oddFile(path, `is ${kindOf(found)}, where a file was expected`)
  const tag = `${found.ino}-${found.size}-${found.mtimeMs}`
  return { key, bytes: found.size, changedAt: found.mtime, tag }
}

type Kind = { isDirectory(): boolean; isFile(): boolean }

/** Shows what lies below the last directory of a prefix, by keys. */
async function walk(
  directory: string,
  prefix: string,
  { signal }: Context,
  isDeep: boolean,
  show: (key: string, kind: Kind) => void,
): Promise<void> {
  await checkDirectory(directory)
  const above = prefix.slice(0, prefix.lastIndexOf('/') + 1)
  // What lies in a directory has a path only where that is one.
  if (above !== '' && (await keyPath(directory, `${above}x`)) === undefined) return
  const rules = { signal, mayGo: true, ...(!isDeep && { enters: () => false }) }
  await walkTree(
    bytePath(join(directory, above)),
    ({ name, kind }) => show(above + shownPath(name), kind),
    rules,
  )
}

/** @param files those that are removed for a path. */
async function removeFiles(
  directory: string,
  keys: string[],
  files: (path: string) => string[],
): Promise<void> {
  for (const key of keys) {
    const path = await keyPath(directory, key)
    if (path === undefined) continue
    for (const one of files(path)) await rm(one, { force: true })
    await removeEmptyAbove(directory, path)
  }
}

/** @param keyOf the key that a file is there for, by its own; undefined for one that is not meant. */
async function* objectsIn(
  directory: string,
  prefix: string,
  context: Context,
  keyOf: (own: string) => string | undefined,
): AsyncGenerator<StoredObject> {
  const files: [own: string, key: string][] = []
  try {
    await walk(directory, prefix, context, true, (own, kind) => {
      const key = kind.isFile() ? keyOf(own) : undefined
      if (key?.startsWith(prefix)) files.push([own, key])
    })
    for (const [own, key] of files) {
      const found = await objectAt(inside(directory, own), key)
      if (found) yield found
    }
  } catch (cause) {
    throw explained(cause, `list ${prefix} in ${directory}`, closedHint)
  }
}

async function* explainedPieces(pieces: AsyncIterable<Buffer>, what: string): AsyncGenerator<Buffer> {
  try {
    yield* pieces
  } catch (cause) {
    throw explained(cause, what, closedHint)
  }
}
