import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { confLines } from '../../../snapshot/conf/conf-line.js'
import { lastingMinimums, minimumOf, minimumText } from '../../../snapshot/conf/minimums.js'
import { type FoundSettings, librariesIn } from './dangers-in-conf.js'

/** Settings that a server needs at every start, and that its own configuration does not make sure of. */
interface LastingSettings {
  /** Lines of a configuration; "" for none. */
  text: string
  /** In plain words. */
  notes: string[]
}

/**
 * A server may have been started with more than its configuration files say (`postgres -c`, as some cluster managers do); a restored one
 * would refuse to start, or lose data, with less.
 * @param minimums what the server ran with.
 * @param found all that the configuration files say.
 */
export function lastingSettings(
  minimums: Readonly<Record<string, number>>,
  found: FoundSettings,
): LastingSettings {
  const names = Object.entries(lastingMinimums).flatMap(([name, byDefault]) => {
    const needed = minimums[name]
    if (needed === undefined) return []
    const said = found.get(name)?.map((value) => minimumOf(value)) ?? [byDefault]
    return said.every((value) => value !== undefined && value >= needed) ? [] : [name]
  })
  const settings = Object.fromEntries(names.map((name) => [name, minimumText(name, minimums[name] ?? 0)]))
  if (names.length === 0) return { text: '', notes: [] }
  return {
    text: `# pgbk restore: with less than these the server may not start, or loses data.\n${confLines(settings)}`,
    notes: Object.entries(settings).map(
      ([name, value]) =>
        `${name} = ${value} stands in postgresql.auto.conf: the server ran with more than its configuration files say, or its WAL may bring more`,
    ),
  }
}

/**
 * A server does not start when one of the directories of its sockets is missing (CreateLockFile() in src/backend/utils/init/miscinit.c): of
 * those of the old machine only such count as are here, else /tmp.
 * @param found all that the configuration files say.
 */
export function socketsHere(found: FoundSettings, data: string): LastingSettings {
  const value = found.get('unix_socket_directories')?.at(-1) ?? ''
  // Text of a configuration is bytes; names of files are UTF-8.
  const named = librariesIn(Buffer.from(value, 'latin1').toString())
  const here = named.filter((name) => name.startsWith('@') || existsSync(resolve(data, name)))
  if (here.length === named.length) return { text: '', notes: [] }
  const used = here.join(', ') || '/tmp'
  const gone = named.filter((name) => !here.includes(name)).join(', ')
  return {
    text: `# pgbk restore: ${gone.replace(/[^ -~]/g, '?')} is not on this machine.\n${confLines({ unix_socket_directories: used })}`,
    notes: [`unix_socket_directories is ${used} in postgresql.auto.conf: ${gone} is not here`],
  }
}
