import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Backup } from '../backup/catalog.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { programEnvironment } from '../postgres/connection.js'
import { connectSql, type SqlClient } from '../postgres/sql-client.js'
import { formatBytes } from '../units.js'
import { neededLibraries } from './differences.js'
import type { ServerPrograms } from './find-server.js'
import { type Owner, ownerOf } from './owner.js'
import {
  endRun,
  makeRunDirectory,
  type RunDirectory,
  runArgument,
  socketDirectory,
  writeMarker,
} from './run-directory.js'
import { type SupervisedServer, supervise, waitUntilReady } from './supervisor.js'
import type { WorkingCopyKind, WorkingCopyMethod } from './working-copy.js'
import { workingCopyMethods } from './working-copy-methods.js'

export interface RunRequest {
  backup: Backup
  root: string
  programs: ServerPrograms
  workingCopy: WorkingCopyKind | 'auto'
  /** Settings as `postgres -c`. */
  settings: Record<string, string>
  port: number | undefined
  database: string | undefined
}

/** A throw-away server that answers. */
export interface Run {
  name: string
  directory: RunDirectory
  server: SupervisedServer
  kind: WorkingCopyKind
  port: number
  role: string
  database: string
  password: string
  url: string
  log: string
}

/** Above this, a full copy is not begun without being asked for. */
const askAbove = 1024 ** 3

/**
 * Starts a throw-away server on a working copy of a backup, and waits until it answers.
 * @throws {PgbkError} `failed` with the last lines of the server's log when it does not start; nothing is left then.
 */
export async function startRun(request: RunRequest, context: Context): Promise<Run> {
  const owner = ownerOf(request.backup, context)
  const port = await choosePort(request.port)
  const { directory, server, kind } = await launch(request, owner, port, context)
  const { layout } = directory
  try {
    const { superuser } = request.backup.record
    const database = request.database ?? largestDatabase(request.backup)
    let client: SqlClient | undefined
    const target = { host: socketDirectory, port, user: superuser, database }
    await waitUntilReady(server, layout.log, context.signal, async () => {
      client = await connectSql(target)
      return client !== undefined
    })
    await checkIsRun(client, directory, port)
    await client?.run(cutOff)
    const password = randomBytes(12).toString('base64url')
    await client?.run(`ALTER ROLE ${identifier(superuser)} PASSWORD '${password}' VALID UNTIL 'infinity'`)
    await client?.end()
    const url = `postgresql://${encodeURIComponent(superuser)}:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`
    directory.marker.server = { pid: server.pid, port, role: superuser, database, url, working_copy: kind }
    writeMarker(directory)
    return {
      name: directory.name,
      directory,
      server,
      kind,
      port,
      role: superuser,
      database,
      password,
      url,
      log: layout.log,
    }
  } catch (error) {
    await server.stop()
    await endRun(directory)
    throw error
  }
}

/** The port was free a moment ago; what answers there now may have been quicker. Nothing may be changed in that one. */
async function checkIsRun(
  client: SqlClient | undefined,
  { layout }: RunDirectory,
  port: number,
): Promise<void> {
  const rows = await client?.run("SELECT current_setting('pgbk.run', true) AS run")
  if (rows?.[0]?.run === layout.directory) return
  await client?.end()
  throw new PgbkError('failed', `another server has taken port ${port} meanwhile`, { hint: 'Try again.' })
}

/** DROP SUBSCRIPTION in the copy would go to the real publisher and drop the slot that production needs. */
const cutOff =
  "UPDATE pg_subscription SET subenabled = false, subslotname = NULL, subconninfo = 'host=/nowhere'"

interface Launched {
  directory: RunDirectory
  server: SupervisedServer
  kind: WorkingCopyKind
}

/** Takes the first method that works, and says why the better ones do not. */
async function launch(request: RunRequest, owner: Owner, port: number, context: Context): Promise<Launched> {
  const wanted = workingCopyMethods.filter(
    ({ kind }) => request.workingCopy === 'auto' || kind === request.workingCopy,
  )
  const obstacles: string[] = []
  for (const method of wanted) {
    if (method.kind === 'copy' && request.workingCopy === 'auto')
      await agreeToCopy(request.backup, obstacles, context)
    const directory = makeRunDirectory(request.backup, request.root, owner, context)
    try {
      const obstacle = await tryMethod(method, request, directory, owner, port, context)
      if (typeof obstacle !== 'string') return { directory, server: obstacle, kind: method.kind }
      obstacles.push(`no ${method.kind}: ${obstacle}`)
      await endRun(directory)
    } catch (error) {
      await endRun(directory)
      throw error
    }
  }
  throw new PgbkError('failed', `no working copy can be made: ${obstacles.join('; ')}`, {
    hint:
      request.workingCopy === 'auto'
        ? undefinedHint
        : `Without --working-copy ${request.workingCopy} pgbk takes the first way that works.`,
  })
}

const undefinedHint = 'Make room, or set XDG_CACHE_HOME to a directory on an ordinary file system.'

/** The server, or the reason why this way cannot be gone. */
async function tryMethod(
  method: WorkingCopyMethod,
  request: RunRequest,
  run: RunDirectory,
  owner: Owner,
  port: number,
  context: Context,
): Promise<SupervisedServer | string> {
  const copyRequest = { backup: request.backup, run, owner }
  const obstacle = await method.prepare(copyRequest, context)
  if (obstacle !== undefined) return obstacle
  const command = await serverCommand(request, run, port, context)
  try {
    return await supervise({
      ...method.launch(copyRequest, context),
      dropping: asOwner(owner, context),
      command,
      cwd: run.layout.directory,
      log: run.layout.log,
      env: serverEnvironment(context),
      signal: context.signal,
    })
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof PgbkError)) throw error
    return method.explain(error.message)
  }
}

/** PostgreSQL refuses root, and no capability of a namespace is left to it. */
function asOwner({ uid, gid }: Owner, context: Context): string[] {
  const dropped = ['--inh-caps=-all', '--bounding-set=-all']
  if (context.user().uid === 0)
    return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', ...dropped]
  return existsSync('/proc/self/status') ? ['setpriv', '--ambient-caps=-all', ...dropped] : []
}

/**
 * Its start-up would open every file for writing, to flush it, and so copy the whole cluster up: hence fsync off. COMMAND is
 * led to 127.0.0.1: a server that could only have ::1 must not start.
 */
async function serverCommand(
  request: RunRequest,
  { layout }: RunDirectory,
  port: number,
  context: Context,
): Promise<string[]> {
  const libraries = await neededLibraries(request.backup.record, request.programs.bin, context)
  const settings: Record<string, string> = {
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    ...(libraries.length > 0 ? { shared_preload_libraries: libraries.join(',') } : {}),
    ...request.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return [
    request.programs.postgres,
    '-D',
    'conf',
    '-p',
    String(port),
    ...flags,
    '-c',
    runArgument(layout.directory),
  ]
}

/** Nothing of the caller's PG* variables: some of them speak to the server too. */
function serverEnvironment({ env }: Context): Context['env'] {
  return Object.fromEntries(
    Object.entries(programEnvironment(env)).filter(([name]) => !name.startsWith('PG')),
  )
}

async function agreeToCopy({ record }: Backup, obstacles: string[], context: Context): Promise<void> {
  const size = formatBytes(record.size_bytes)
  context.progress.say(`The snapshot has to be copied in full (${size}): ${obstacles.join('; ')}`)
  if (record.size_bytes <= askAbove) return
  if (!context.ask) {
    throw new PgbkError('usage', `a full copy of ${size} would be needed: ${obstacles.join('; ')}`, {
      hint: 'If that is meant, say so with --working-copy copy.',
    })
  }
  if (!(await context.ask(`Copy ${size}?`))) throw new PgbkError('failed', 'nothing was started')
}

/** @throws {PgbkError} `failed` when the wanted port is taken. */
async function choosePort(wanted: number | undefined): Promise<number> {
  if (wanted !== undefined) {
    if ((await bind(wanted)) !== undefined && !existsSync(socketOf(wanted))) return wanted
    throw new PgbkError('failed', `port ${wanted} is in use`, {
      hint: 'Choose another one, or leave --port out: pgbk then takes a free one.',
    })
  }
  for (let attempts = 0; attempts < 100; attempts++) {
    const port = await bind(0)
    if (port !== undefined && !existsSync(socketOf(port))) return port
  }
  throw new PgbkError('failed', 'the system gives no free port')
}

function socketOf(port: number): string {
  return `${socketDirectory}/.s.PGSQL.${port}`
}

/** The port, if it could be had. */
function bind(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' ? address?.port : undefined))
    })
  })
}

function largestDatabase({ record }: Backup): string {
  const candidates = record.databases.filter(({ name }) => !/^template[01]$/.test(name))
  const [largest] = candidates.sort((a, b) => (b.size_bytes ?? 0) - (a.size_bytes ?? 0))
  return largest?.name ?? 'template1'
}

function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
