import { mkdirSync, readdirSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { type ReadableBackup, snapshotOf } from '../../catalog/backup.js'
import { type InstanceLayout, instanceLayout, type SnapshotLayout } from '../../catalog/layout.js'
import type { Context } from '../../context.js'
import { isShortEnough } from '../../postgres/local/sockets.js'
import type { ServerPrograms } from '../../postgres/programs/find-server.js'
import { snapshotHba, snapshotIdent } from '../../snapshot/conf/conf.js'
import { readConfFile } from '../../snapshot/conf/conf-file.js'
import { confLines, confLiteral } from '../../snapshot/conf/conf-line.js'
import { lastingMinimums } from '../../snapshot/conf/minimums.js'
import { copyConf } from '../../start-up/copy-conf.js'
import { replaceDurably, syncPath, writeDurably } from '../../system/files/durable.js'
import { mostBytes, readSmallText } from '../../system/files/read-small.js'

/** The instance whose configuration is written. */
interface InstanceToConfigure {
  backup: ReadableBackup
  name: string
  port: number
  programs: Pick<ServerPrograms, 'bin'>
  /** Where it will be when it is finished. */
  directory: string
}

/**
 * Writes the configuration of an instance: what pgbk writes for every snapshot, with the values of this one; later lines win, and
 * make it a server of its own. The server's original files come along, as files that nothing reads.
 * @param recovery settings with which it replays WAL, if it has to.
 */
export async function writeInstanceConf(
  { backup, programs, ...instance }: InstanceToConfigure,
  layout: InstanceLayout,
  recovery: Readonly<Record<string, string>> | undefined,
  context: Context,
): Promise<void> {
  const ofSnapshot = await copyConf(backup, programs.bin, context)
  await writeDurably(
    layout.postgresqlConf,
    Buffer.concat([ofSnapshot, Buffer.from(`\n${ownLines(instance)}${lastingLines(recovery)}`)]),
  )
  if (recovery) await writeDurably(layout.recoveryConf, recoveryNote + confLines(recovery))
  await writeDurably(layout.hba, snapshotHba + replicationLines)
  await writeDurably(join(layout.conf, 'pg_ident.conf'), snapshotIdent)
  await writeDurably(join(layout.data, 'postgresql.auto.conf'), '')
  const original = join(layout.conf, 'original')
  await mkdir(original)
  await copyOriginals(snapshotOf(backup), original, context.signal)
  await syncPath(layout.conf)
}

/**
 * Where the socket of an instance is: in a private directory of its own, as the configuration names it. Where that path is too long for a
 * socket, in /tmp as that of a snapshot, for its owner alone.
 */
export function ownSockets(directory: string): string {
  return isShortEnough(instanceLayout(directory).sockets) ? '../run' : '/tmp'
}

function ownLines({
  name,
  port,
  directory,
}: Pick<InstanceToConfigure, 'name' | 'port' | 'directory'>): string {
  return `# The instance ${name}, made by pgbk restore. These lines win over those above.
# Start it from the directory above conf:  postgres -D conf
cluster_name = ${confLiteral(name)}
port = ${port}
unix_socket_directories = '${ownSockets(directory)}'
unix_socket_permissions = 0700
restore_command = ''

# There while the WAL archive of the backup is still to be replayed.
include_if_exists = 'recovery.conf'
`
}

/** A line that sets the port, as PostgreSQL reads it; the last one counts. */
const portLine = /^[ \t]*port(?:[ \t]*=[ \t]*|[ \t]+)'?(\d+)'?/gim

/** What WAL has raised, and every later start needs too: recovery.conf is gone then. */
function lastingLines(recovery: Readonly<Record<string, string>> = {}): string {
  const raised = Object.entries(recovery).filter(([name]) => name in lastingMinimums)
  return raised.length === 0
    ? ''
    : `\n# raised while the server went on\n${confLines(Object.fromEntries(raised))}`
}

/** The port that a configuration sets. */
export function portIn(conf: string): number {
  return Number([...conf.matchAll(portLine)].at(-1)?.[1] ?? 5432)
}

/** The directory of the socket that a configuration names first, as PostgreSQL reads it; "" for none. */
export function socketsIn(conf: string, data: string): string {
  const lines = conf.matchAll(/^[ \t]*unix_socket_directories(?:[ \t]*=[ \t]*|[ \t]+)'([^',]*)/gim)
  const named = [...lines].at(-1)?.[1] ?? '/tmp'
  return named === '' ? '' : resolve(data, named)
}

const recoveryNote = '# Written by pgbk restore, and removed when recovery is over.\n'

/** An instance is a server like any other: it can be backed up. */
const replicationLines = `local   replication  all                trust
host    replication  all  127.0.0.1/32  md5
host    replication  all  ::1/128       md5
`

/** Makes another port an instance's own: in the last line that says one, else in a further one. */
export async function changePort({ postgresqlConf }: InstanceLayout, port: number): Promise<void> {
  const text = readSmallText(postgresqlConf, mostBytes.conf)
  const last = [...text.matchAll(portLine)].at(-1)
  const changed = last
    ? `${text.slice(0, last.index)}port = ${port}${text.slice(last.index + last[0].length)}`
    : `${text}\nport = ${port}\n`
  await replaceDurably(postgresqlConf, changed)
}

/**
 * Copies the server's own configuration files out of a snapshot, flushed to disk. Only ordinary files come along.
 * @param to a directory, which is there and empty.
 * @throws {PgbkError} `damaged` for a file that is too large; a system error; the signal's reason when aborted.
 */
async function copyOriginals(
  { snapshot, originalConf }: Pick<SnapshotLayout, 'snapshot' | 'originalConf'>,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  const directories = new Set([to])
  for (const entry of readdirSync(originalConf, { recursive: true, withFileTypes: true })) {
    signal.throwIfAborted()
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const target = join(to, relative(originalConf, path))
    mkdirSync(dirname(target), { recursive: true })
    await writeDurably(target, readConfFile(path, snapshot))
    directories.add(dirname(target))
  }
  for (const directory of directories) await syncPath(directory)
}
