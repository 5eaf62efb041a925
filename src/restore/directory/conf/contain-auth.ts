import { statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { ordinaryConfFile } from '../../../snapshot/conf/conf-file.js'
import { type IncludedFile, includedFiles } from '../../../snapshot/conf/included-files.js'
import { writeDurably } from '../../../system/files/durable.js'
import { relativeInside } from '../../../system/paths/inside.js'
import { placeOutside, replaceNames } from './adapt-auth.js'
import { countingFiles, leadsOut } from './contain-conf.js'

/** What pg_hba.conf and pg_ident.conf name in a data directory that is not there. */
interface MissingAuth {
  /** Below the data directory. */
  file: string
  by: string
  /** What that belongs to. */
  root: 'pg_hba.conf' | 'pg_ident.conf'
}

/**
 * Goes through all that a server in a data directory lets people in by, and leads what leads to files elsewhere on this machine to places
 * in the directory: whoever wrote the text knows other files there, and may have made some.
 */
export async function containAuth(data: string, major: number): Promise<void> {
  await walk(data, major, async (file, text) => {
    const contained = replaceNames(text, major, ({ path }) => {
      const target = resolve(dirname(file), Buffer.from(path, 'latin1').toString())
      const isInside = relativeInside(data, target) !== undefined && !leadsOut(target, data)
      return isInside
        ? Buffer.from(path, 'latin1').toString()
        : relative(dirname(file), join(data, placeOutside(target)))
    })
    if (contained !== text) await writeDurably(file, Buffer.from(contained, 'latin1'))
    return contained
  })
}

/** The files that they name and that are not in the data directory; those that may be missing are not among them. */
export async function missingAuth(data: string, major: number): Promise<MissingAuth[]> {
  const missing: MissingAuth[] = []
  await walk(data, major, (by, text, root) => {
    for (const { type, path } of includedFiles(text, by, 'auth', major))
      if (type !== 'include_if_exists' && !existsAs(type, path))
        missing.push({ file: relative(data, path), by: relative(data, by), root })
    return text
  })
  return missing
}

function existsAs(type: IncludedFile['type'], path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false })
  return type === 'include_dir' ? (found?.isDirectory() ?? false) : found !== undefined
}

type Look = (file: string, text: string, root: MissingAuth['root']) => string | Promise<string>

async function walk(data: string, major: number, look: Look): Promise<void> {
  for (const root of ['pg_hba.conf', 'pg_ident.conf'] as const) await walkFrom(root, data, major, look)
}

async function walkFrom(root: MissingAuth['root'], data: string, major: number, look: Look): Promise<void> {
  const waiting = [join(data, root)]
  const seen = new Set<string>()
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const content = seen.has(file) ? undefined : ordinaryConfFile(file, data)
    seen.add(file)
    if (content === undefined) continue
    const text = await look(file, content.toString('latin1'), root)
    for (const { type, path } of includedFiles(text, file, 'auth', major))
      waiting.push(...(type === 'include_dir' ? countingFiles(path) : [path]))
  }
}
