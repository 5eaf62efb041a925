import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { bytePath, joinBytes, shownPath } from '../../system/paths/byte-path.js'
import { atMost } from '../contract/at-most.js'
import { archiveNames, checkListing } from '../contract/listing.js'
import type { Place } from '../contract/place.js'
import { receiveTar } from './receive-tar.js'
import { parseRemoteCatalog, type RemoteCatalog } from './remote-catalog.js'
import { parseRemoteListing } from './remote-listing.js'
import { archiveScript, catalogScript, listingScript, readScript, transferScript } from './remote-scripts.js'
import { complaintsOf, scriptAnswer } from './scripted.js'
import { type Shell, sshShell } from './shell.js'
import { nameList } from './tar-list.js'
import { wholeAnswer } from './whole-answer.js'

/**
 * A root on a host that ssh reaches. It needs sh, cat, tail, find and tar there, and nothing else.
 * @param sshOptions further ones of ssh.
 */
export function sshPlace(
  name: string,
  host: string,
  directory: string,
  context: Context,
  sshOptions: string[] = [],
): Place {
  const shell = sshShell(host, context, sshOptions)
  const where = { host, directory, isSource: true } as const
  const { progress } = context
  let known: RemoteCatalog | undefined
  return {
    name,
    directory: undefined,
    locationOf: (id) => join(`${host}:${directory || '.'}`, 'data/backup', id),
    async list() {
      const token = newToken()
      const output = await ask(shell, catalogScript(directory, token))
      known = parseRemoteCatalog(scriptAnswer(output, where), token, name)
      return known.catalog
    },
    async readRecord({ id }) {
      const record = known?.records.get(id)
      if (record) return record
      throw new PgbkError('failed', `the record of ${id} was not read`)
    },
    async files({ id }) {
      const token = newToken()
      const output = await ask(shell, listingScript(directory, id, token))
      const answer = scriptAnswer(output, where)
      return checkListing(await parseRemoteListing(answer, token, name, context.signal), name)
    },
    async transfer({ id }, names, writer) {
      const list = nameList(names.map((one) => joinBytes(here, one)))
      const end = await shell.run(transferScript(directory, id), list, (output) => {
        progress.step('copying')
        return receiveTar(output, names, writer, name)
      })
      return complaintsOf(end, where)
    },
    async read({ id }, file, range, take) {
      const asked = nameList([joinBytes(here, file)])
      const what = `${shownPath(file)} of ${id} in ${name}`
      const read = (output: Readable) => take(atMost(output, range.length, what))
      return scriptAnswer(await shell.run(readScript(directory, id, range), asked, read), where)
    },
    async archive({ id }, listing, take) {
      const end = await shell.run(archiveScript(directory), nameList(archiveNames(id, listing)), (output) => {
        progress.step('archiving')
        return take(output)
      })
      return complaintsOf(end, where)
    },
  }
}

/** Nobody can know it before, so nothing in a record or a name is taken for it. */
function newToken(): string {
  return randomBytes(16).toString('hex')
}

function ask(shell: Shell, script: string) {
  return shell.run(script, undefined, (output) => wholeAnswer(output))
}

const here = bytePath('.')
