import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { confLines } from '../../../snapshot/conf/conf-line.js'
import { type FoundSettings, librariesIn } from './dangers-in-conf.js'
import type { LastingSettings } from './lasting-settings.js'

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
