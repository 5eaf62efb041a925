import { chownSync, cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { rootLayout } from '../../src/catalog/layout.js'
import { type BackupRecord, checkRecord, readRecord } from '../../src/catalog/record.js'
import { type ArchivedWal, readArchivedWal } from '../../src/wal-archive/archived-wal.js'
import { readReceiverState } from '../../src/wal-archive/receiver-state.js'
import { dumpWal } from '../../src/wal-reading/wal-dump.js'
import { withWaldumpDirectory } from '../../src/wal-reading/waldump-directory.js'
import { parseLsn } from '../../src/wal-segments/lsn.js'
import { impatientProgram, type PgbkOptions, startPgbk } from './pgbk.js'
import { aDirectory, atEnd } from './places.js'
import { binOf } from './programs.js'
import { openSnapshot, type TestServer } from './server.js'
import { idsIn, until } from './traces.js'
import { asUser, isRoot, ordinaryUser } from './users.js'

/** A `pgbk wal receive` that runs. */
export interface Receiver {
  root: string
  /** What it has said so far. */
  said(): string
  /** Waits until it says something like this. */
  untilItSays(pattern: RegExp, times?: number): Promise<void>
  /** Sends a signal and waits for its end; its exit status, or undefined when the signal itself ended it. */
  end(signal?: NodeJS.Signals): Promise<number | undefined>
  /** Waits for its end. */
  status(): Promise<number | undefined>
  pid: number
}

export function startReceiver(root: string, options: PgbkOptions & { args?: string[] } = {}): Receiver {
  const child = startPgbk(['wal', 'receive', '-C', root, ...(options.args ?? [])], options, impatientProgram)
  let said = ''
  child.stderr?.on('data', (chunk) => {
    said += chunk
  })
  child.stdout?.on('data', (chunk) => {
    said += chunk
  })
  const end = async (signal: NodeJS.Signals = 'SIGTERM') => {
    if (child.exitCode === null) child.kill(signal)
    return (await child).exitCode
  }
  atEnd(async () => void (await end()))
  return {
    root,
    pid: child.pid as number,
    said: () => said,
    untilItSays: async (pattern, times = 1) => {
      const count = () => [...said.matchAll(new RegExp(pattern, 'g'))].length
      await until(`the receiver says ${pattern}`, () => {
        if (child.exitCode !== null && count() < times) throw new Error(`the receiver has ended:\n${said}`)
        return count() >= times
      }).catch((error) => {
        throw new Error(`${error.message}; it said:\n${said}`)
      })
    },
    end,
    status: async () => (await child).exitCode,
  }
}

/** Waits until all that is on the server's disk now has been received into the archive of this backup. */
export async function untilReceived(server: TestServer, root: string, id?: string): Promise<string> {
  const lsn = await server.sql('select pg_switch_wal(); select pg_current_wal_flush_lsn()').then(lastLine)
  await untilReceivedTo(lsn, root, id)
  return lsn
}

/** Waits until all before this LSN has been received into the archive of this backup. */
export async function untilReceivedTo(lsn: string, root: string, id?: string): Promise<void> {
  await until(`${lsn} is received`, () => {
    const state = readReceiverState(rootLayout(root))
    if (!state?.caught_up_lsn || (id !== undefined && state.backup !== id)) return false
    return parseLsn(state.caught_up_lsn) >= parseLsn(lsn)
  }).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(readReceiverState(rootLayout(root)))}`)
  })
}

function lastLine(text: string): string {
  return text.split('\n').at(-1) ?? ''
}

/** One backup's archive. */
export interface Archive {
  id: string
  record: BackupRecord
  wal: ArchivedWal
}

export function archivesOf(root: string): Archive[] {
  return idsIn(root).map((id) => {
    const layout = rootLayout(root)
    const record = checkRecord(readRecord(join(layout.backup(id), 'backup.json')).raw)
    return { id, record, wal: readArchivedWal(join(layout.backup(id), 'wal'), record) }
  })
}

/**
 * What is wrong with an archive: nothing, when it begins with its snapshot, has no gap, every finished segment can be read to its
 * end, and it holds the given position.
 */
export async function faultsOf({ record, wal }: Archive, upTo: string): Promise<string[]> {
  const faults = wal.gap ? [`a gap: ${JSON.stringify(wal.gap)}`] : []
  const size = BigInt(record.wal_segment_size)
  const [first] = wal.chain
  if (first?.segment !== parseLsn(record.start_lsn) / size) faults.push(`it begins with ${first?.name}`)
  const last = wal.chain.at(-1)
  if ((last?.segment ?? -1n) < (parseLsn(upTo) - 1n) / size)
    faults.push(`it ends with ${last?.name}, before ${upTo}`)
  const finished = last?.form === 'partial' ? wal.chain.length - 2 : wal.chain.length - 1
  if (finished < 0) return faults
  const program = `${binOf(Math.floor(record.server.version_num / 10_000))}/pg_waldump`
  const options = { env: { PATH: process.env.PATH }, signal: new AbortController().signal }
  try {
    await withWaldumpDirectory(program, wal, options, (waldump) =>
      dumpWal(waldump, 0, finished, { toItsEnd: true }),
    )
  } catch (error) {
    faults.push((error as Error).message)
  }
  return faults
}

/** A table that tells when which row was committed. */
export async function makeLedger(server: TestServer): Promise<void> {
  await server.sql('create table ledger (n int primary key, at timestamptz not null, filler text)')
}

/** Writes to the ledger, one short transaction after the other, until it is stopped. */
export function startLoad(server: TestServer, pauseSeconds = 0.002) {
  const script = `
do $$
declare n int := (select coalesce(max(l.n), 0) from ledger l);
begin
  loop
    n := n + 1;
    insert into ledger values (n, clock_timestamp(), repeat('x', 200));
    commit;
    perform pg_sleep(${pauseSeconds});
  end loop;
end $$`
  const connect = ['-h', server.socket, '-p', String(server.port), '-U', server.superuser]
  const [file = '', ...args] = [
    ...asUser(),
    `${server.bin}/psql`,
    '-XAtq',
    ...connect,
    '-d',
    'postgres',
    '-c',
    script,
  ]
  const env = { PGAPPNAME: 'load' }
  const child = execa(file, args, { cwd: '/', env, reject: false, stdin: 'ignore' })
  return {
    // It may not have connected yet.
    stop: () =>
      until('the load has ended', async () => {
        await server
          .sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'load'")
          .catch(() => {})
        return child.exitCode !== null
      }),
  }
}

/** The rows of the ledger as they are when a copy of the backup has replayed its whole archive, with stock PostgreSQL. */
export async function replayed(
  { id, record, wal }: Archive,
  root: string,
): Promise<{ rows: number; last: number }> {
  const copy = join(aDirectory('pgbk-replay-'), id)
  cpSync(rootLayout(root).backup(id), copy, { recursive: true, verbatimSymlinks: true })
  const last = wal.chain.at(-1)
  if (last?.form === 'partial') cpSync(join(copy, 'wal', last.file), join(copy, 'wal', last.name))
  writeFileSync(join(copy, 'snapshot/data/recovery.signal'), '')
  if (isRoot) {
    const { uid, gid } = ordinaryUser
    await execa('chown', ['-R', `${uid}:${gid}`, copy])
    chownSync(copy, uid, gid)
  }
  const server = await openSnapshot(join(copy, 'snapshot'), Math.floor(record.server.version_num / 10_000))
  try {
    await until('the replay has ended', async () => (await server.sql('select pg_is_in_recovery()')) === 'f')
    const [rows, most] = (await server.sql('select count(*), max(n) from ledger')).split('|')
    return { rows: Number(rows), last: Number(most) }
  } finally {
    await server.stop()
  }
}

/** The pids of the pg_receivewal processes that write below a directory. */
export async function receiverProcessesIn(directory: string): Promise<string[]> {
  const { stdout } = await execa('ps', ['-A', '-ww', '-o', 'pid=,args='])
  return stdout
    .split('\n')
    .filter((line) => /pg_receivewal/.test(line) && line.includes(`--directory=${directory}/`))
}

export function stateIn(root: string) {
  return JSON.parse(readFileSync(rootLayout(root).receiverState, 'utf8'))
}
