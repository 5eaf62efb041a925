import { join } from 'node:path'
import type { StoredBackup } from '../../catalog/backup.js'
import { rootLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { PgbkError } from '../../errors.js'
import { manifestFiles } from '../../snapshot/manifest/manifest.js'
import { type BytePath, shownPath } from '../../system/paths/byte-path.js'
import { runProgram } from '../../system/program/run-program.js'
import { shellWord } from '../../text/shell-word.js'
import { archiveNames, type Listing } from '../contract/listing.js'
import { manifestName } from '../contract/names.js'
import { archiveScript } from '../ssh/remote-scripts.js'
import { nameList } from '../ssh/tar-list.js'
import { checkArchive } from './archive-check.js'

/** Only GNU tar says what it writes, with sizes, while it writes. */
export async function hasGnuTar({ env, signal }: Context): Promise<boolean> {
  const { stdout } = await runProgram('tar', ['--version'], { env, signal })
  return /GNU tar/.test(stdout)
}

/**
 * Writes the archive of a backup on this machine by tar and zstd alone: no byte passes through this process, which would take
 * as long again. What is in it is known from what tar says.
 * @throws {PgbkError} as `checkArchive`; `disk-full`.
 */
export async function archiveHere(
  root: string,
  { backup, listing }: { backup: StoredBackup; listing: Listing },
  target: { file: string; isCompressed: boolean },
  { env, signal, progress }: Context,
): Promise<void> {
  const sizes = new Map<BytePath, number>()
  const complaints: string[] = []
  let done = 0
  const onErrorLine = (line: string) => {
    const entry = parseVerbose(line, backup.id)
    if (!entry) return void complaints.push(shownPath(line as BytePath))
    sizes.set(entry.name, entry.size)
    done += entry.size
    progress.bytes(done, backup.storedBytes)
  }
  const tar = `(${archiveScript(root, '-vv --quoting-style=literal')})`
  const into = `> ${shellWord(target.file)}`
  const script = target.isCompressed
    ? `{ ${tar} || echo "${failed} $?" >&2; } | zstd -q -1 -T0 -c 2>&1 ${into}` // not in the midst of a line of tar's
    : `${tar} ${into}`
  const input = nameList(archiveNames(backup.id, listing))
  const options = { env, signal, input, onErrorLine, bytewise: true }
  const { status, endedBy, stdout } = await runProgram('sh', ['-c', script], options)
  complaints.push(...stdout.split('\n').filter(Boolean))
  const said = complaints.filter((line) => !line.startsWith(failed))
  const full = said.find((line) => diskFull.test(line))
  if (full !== undefined) throw new PgbkError('disk-full', `the disk is full: ${full}`)
  const tarFailed = complaints.length > said.length
  if (status !== 0 && said.length === 0)
    throw new PgbkError('failed', `the archive cannot be made: ${endedBy ?? `status ${status}`}`)
  if (tarFailed && said.length === 0) throw new PgbkError('failed', 'the archive cannot be made: tar failed')
  const manifest = manifestFiles(join(rootLayout(root).backup(backup.id), manifestName))
  await checkArchive(backup, listing, { sizes, manifest, complaints: said.join('\n') })
}

const failed = 'pgbk-tar-failed'

/** GNU tar calls a short write by its numbers. */
const diskFull = /No space left on device|quota exceeded|Wrote only \d+ of \d+ bytes/i

/** `-rw------- user/group 8192 2026-11-20 03:00 data/backup/<id>/...`, with a target behind links. */
function parseVerbose(line: string, id: string): { name: BytePath; size: number } | undefined {
  const [, kind, size, path = ''] =
    /^([-dl])[-rwxsStT]{9}\S* .*? +(\d+) \d{4}-\d\d-\d\d \d\d:\d\d (.*)$/.exec(line) ?? []
  if (kind === undefined) return undefined
  const plain = kind === 'l' ? path.replace(/ -> .*$/, '') : path.replace(/\/$/, '')
  return { name: plain.replace(new RegExp(`^data/backup/${id}/?`), '') as BytePath, size: Number(size) }
}
