import { parseSource } from '../backup/source-place.js'
import type { Context } from '../context.js'
import { directorySource } from './directory-source.js'
import type { Source } from './source.js'
import { sshSource } from './ssh-source.js'

/** @throws {PgbkError} `usage` for a text that is no SOURCE, and as `directorySource`. */
export function openSource(text: string, context: Context): Source {
  const place = parseSource(text, context.cwd)
  return place.kind === 'ssh'
    ? sshSource(text, place.host, place.directory, context)
    : directorySource(text, place.directory, context)
}
