import { createHash, randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Context } from '../../../context.js'
import { PgbkError } from '../../../errors.js'
import { isPlainName } from '../../../system/paths/inside.js'
import { atMost } from '../../contract/at-most.js'
import { scriptAnswer } from '../../ssh/scripted.js'
import { type Shell, sshShell } from '../../ssh/shell.js'
import { wholeAnswer } from '../../ssh/whole-answer.js'
import { goneFrom } from '../gone.js'
import type { ObjectStore, Sendable, StoredObject } from '../object-store.js'
import { keyOfDraft } from '../send-to-file.js'
import * as scripts from './store-scripts.js'

/** A directory on a host that ssh reaches. */
interface SshDirectory {
  host: string
  directory: string
}

/**
 * A store in a directory of a host, by the user's own ssh. It needs sh there, stat, find, tail, head, wc, and what changes names (mv, ln,
 * mkdir, rm, rmdir, ls, dirname, basename); an interrupted send is continued where sha256sum or shasum is. The directory must be there.
 * @param name as the user wrote it.
 * @param sshOptions further ones for every call of ssh: each request is one.
 */
export function sshStore(
  where: SshDirectory,
  context: Context,
  name: string,
  sshOptions: string[] = [],
): ObjectStore {
  const { host, directory } = where
  const shell = sshShell(host, context, sshOptions)
  const ask = (script: string, input?: Uint8Array | Readable) =>
    asked(shell, script, input, where, mostOfLine)
  const askForNames = (script: string) => asked(shell, script, undefined, where)
  const stat = async (key: string): Promise<StoredObject | undefined> => {
    const said = await ask(scripts.statScript(directory, key)).catch(ifGone)
    return said === undefined ? undefined : objectOf(key, said.trim())
  }
  /** @param keyOf the key that a file is there for, by its own; undefined for one that is not meant. */
  async function* filesIn(prefix: string, keyOf: (own: string) => string | undefined) {
    const above = prefix.slice(0, prefix.lastIndexOf('/') + 1)
    for (const line of whole(await askForNames(scripts.listScript(directory, above)), name)) {
      const [, facts = '', below = ''] = /^(\d+ \d+ \d+) \.\/(.*)$/.exec(line) ?? []
      const key = isPlainName(above + below) ? keyOf(above + below) : undefined
      if (key?.startsWith(prefix)) yield objectOf(key, facts)
    }
  }
  const remove = async (keys: string[], what: 'all' | 'drafts') => {
    if (keys.length === 0) return
    for (const key of keys) if (!isPlainName(key) || key.includes('\n')) throw goneFrom(name, key)
    await ask(scripts.removeScript(directory, what), Buffer.from(keys.map((key) => `${key}\n`).join('')))
  }
  return {
    name,
    directory: undefined,
    locationOf: (key) => `${host}:${directory || '.'}/${key}`,
    list: (prefix) => filesIn(prefix, (own) => (keyOfDraft(own) === undefined ? own : undefined)),
    unfinished: (prefix) => filesIn(prefix, keyOfDraft),
    directoriesIn: async (prefix) =>
      whole(await askForNames(scripts.directoriesScript(directory, prefix)), name),
    stat,
    async read(key, range, take) {
      const script = scripts.readObjectScript(directory, key, range)
      let isRead = false
      const end = await shell.run(script, undefined, (output) =>
        take(
          (async function* () {
            yield* atMost(output, range.length, `${key} of ${name}`)
            isRead = true
          })(),
        ),
      )
      // Who has enough ends the script.
      return end.outcome.status === 'fulfilled' && !isRead ? end.outcome.value : scriptAnswer(end, where)
    },
    async put(key, bytes, ifAbsent = false) {
      const draft = randomBytes(8).toString('hex')
      const said = await ask(scripts.putScript(directory, key, bytes.length, draft, ifAbsent), bytes)
      return said.trim() === 'put'
    },
    async send(key, what, onBytes) {
      const kept = await keptOf(ask, directory, key, what)
      onBytes(kept)
      const source = reading(what, kept, onBytes)
      const sending = ask(scripts.sendScript(directory, key, kept, what.bytes), source.bytes)
      await sending.catch((error) => Promise.reject(source.fault() ?? error))
      const sent = await stat(key)
      if (sent?.bytes === what.bytes) return sent
      throw new PgbkError('failed', `${key} of ${name} is not what was sent`, { hint: 'Try again.' })
    },
    async remove(keys) {
      await remove(keys, 'all')
      return []
    },
    discard: (keys) => remove(keys, 'drafts'),
    close: async () => {},
  }
}

/** What is answered in one line, in bytes. */
const mostOfLine = 4096

type Ask = (script: string, input?: Uint8Array | Readable) => Promise<string>

async function asked(
  shell: Shell,
  script: string,
  input: Uint8Array | Readable | undefined,
  where: SshDirectory,
  most?: number,
): Promise<string> {
  const end = await shell.run(script, input, async (output) => (await wholeAnswer(output, most)).toString())
  return scriptAnswer(end, where)
}

function ifGone(error: unknown): undefined {
  if (error instanceof PgbkError && error.code === 'not-found' && error.facts.kind === 'no-file')
    return undefined
  throw error
}

function objectOf(key: string, facts: string): StoredObject {
  const [bytes = 0, seconds = 0, inode] = facts.split(' ')
  // A time of the last change has no parts of a second here, and is not to seem older than it is.
  const changedAt = new Date((Number(seconds) + 1) * 1000)
  return { key, bytes: Number(bytes), changedAt, tag: `${inode}-${bytes}-${seconds}` }
}

/** @throws {PgbkError} `failed` when the end is missing. */
function whole(said: string, name: string): string[] {
  const lines = said.split('\n')
  if (lines.pop() === '' && lines.pop() === scripts.scriptEnd) return lines
  throw new PgbkError('failed', `the list of what is in ${name} ended early`)
}

/** How many bytes of what an interrupted send has left are the first ones of what is sent. */
async function keptOf(ask: Ask, directory: string, key: string, what: Sendable): Promise<number> {
  const left = Number(await ask(scripts.leftScript(directory, key)))
  if (!(left > 0 && left <= what.bytes)) return 0
  const [there] = (await ask(scripts.leftSumScript(directory, key, left))).split(/\s/)
  const hash = createHash('sha256')
  for await (const piece of what.read(0, left)) hash.update(piece)
  return hash.digest('hex') === there ? left : 0
}

/** What is sent, for the standard input of a script; where it fails, the script gets too little, and the fault is told afterwards. */
function reading(what: Sendable, from: number, onBytes: (bytes: number) => void) {
  let fault: unknown
  async function* pieces() {
    let at = from
    try {
      for await (const piece of what.read(from, what.bytes - from)) {
        yield piece
        at += piece.length
        onBytes(piece.length)
      }
    } catch (error) {
      fault = error
    }
    if (at !== what.bytes)
      fault ??= new PgbkError('failed', `what is sent has ${at} bytes in the place of ${what.bytes}`)
  }
  return { bytes: Readable.from(pieces(), { objectMode: false }), fault: () => fault }
}
