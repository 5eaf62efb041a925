import { lstatSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { systemCode } from '../../../errors.js'
import { confFileIfThere } from '../../../snapshot/conf/conf-file.js'
import { type ConfLine, isInclude, parseConf } from '../../../snapshot/conf/conf-text.js'
import { countingIn } from '../../../snapshot/conf/included-files.js'
import { writeDurably } from '../../../system/files/durable.js'
import { relativeInside } from '../../../system/paths/inside.js'
import { namesIn } from '../../../system/paths/names-in.js'
import { settingsOf } from './dangers-in-conf.js'
import { isPlace } from './production-conf.js'

/** What a server in a data directory will read. */
interface ContainedConf {
  /** Every value of every setting, by its name. */
  settings: Map<string, string[]>
  /** What was taken out, in plain words. */
  notes: string[]
}

/**
 * Goes through all that a server will read in a data directory, and takes out what leads it to configuration elsewhere on this machine:
 * whoever wrote the text knows other files there, and may have made some.
 */
export async function containConf(data: string): Promise<ContainedConf> {
  const notes: string[] = []
  const lines: ConfLine[] = []
  const waiting = ['postgresql.conf', 'postgresql.auto.conf'].map((name) => join(data, name))
  const seen = new Set<string>()
  for (let path = waiting.shift(); path !== undefined; path = waiting.shift()) {
    const content = seen.has(path) ? undefined : confFileIfThere(path, data)
    seen.add(path)
    if (content === undefined) continue
    const contained = parseConf(content.toString('latin1')).map((line) => {
      const { text, included } = containLine(line, path ?? data, data)
      if (text !== line.text && isInclude(line))
        notes.push(
          `${relativeInside(data, path ?? data)} includes a file outside of the data directory; that line is taken out`,
        )
      waiting.push(...included)
      return text
    })
    const text = contained.join('\n')
    if (text !== content.toString('latin1')) await writeDurably(path, Buffer.from(text, 'latin1'))
    lines.push(...parseConf(text).filter((line) => !isInclude(line)))
  }
  return { settings: settingsOf(lines), notes: [...new Set(notes)] }
}

function containLine(line: ConfLine, file: string, data: string): { text: string; included: string[] } {
  if (isPlace(line))
    return { text: `#${line.text}    # pgbk restore: named a place on the server`, included: [] }
  if (!isInclude(line)) return { text: line.text, included: [] }
  const target = resolve(dirname(file), Buffer.from(line.value, 'latin1').toString())
  const isOutside = relativeInside(data, target) === undefined && target !== data
  if (line.isFaulty || isOutside || leadsOut(target, data))
    return { text: `#${line.text}    # pgbk restore: outside of the data directory`, included: [] }
  if (line.name !== 'include_dir') return { text: line.text, included: [target] }
  return { text: line.text, included: countingFiles(target) }
}

/** The files of a directory that count when it is included. */
export function countingFiles(directory: string): string[] {
  return countingIn(namesIn(directory)).map((name) => join(directory, name))
}

/** Whether something on the way to a path below the data directory is a link. */
export function leadsOut(path: string, data: string): boolean {
  for (let at = path; at !== data; at = dirname(at)) if (isLink(at)) return true
  return false
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return false
    throw error
  }
}
