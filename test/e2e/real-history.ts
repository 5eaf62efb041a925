import { chownSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { lastSegmentBefore, parseLsn, parseSegmentName } from '../../src/wal-segments/lsn.js'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { aLedgerServer } from '../helpers/ledger.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { receive } from '../helpers/received-wal.js'
import { aRoot, type TestServer } from '../helpers/server.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

export const mb = 1024 ** 2

const quick = ['--checkpoint', 'fast', '--no-verify']

/** A row, between which positions its transaction was written, and when it was committed. */
export interface Row {
  n: number
  before: bigint
  after: bigint
  time: string
}

/** A server of whose WAL everything is known, and a root whose archives get it as a receiver leaves it there. */
export class RealHistory {
  readonly rows: Row[] = []
  /** All backups that were ever made, the oldest first. */
  readonly made: MadeBackup[] = []
  /** Where each timeline begins. */
  readonly switches = new Map<number, bigint>([[1, 0n]])
  private readonly given = new Set<string>()

  private constructor(
    readonly server: TestServer,
    readonly root: string,
    /** All WAL of the server, unharmed. */
    readonly all: string,
  ) {}

  static async begin(): Promise<RealHistory> {
    const server = await aLedgerServer({ major: anyMajor })
    await server.sql("select pg_create_physical_replication_slot('hold', true)")
    const history = new RealHistory(server, await aRoot(), join(aDirectory('pgbk-all-'), 'wal'))
    const first = await aBackupOf(server, { root: history.root, args: quick })
    history.made.push(first)
    await run(['cp', '-a', join(first.directory, 'wal'), history.all])
    await history.receiveFor(() => Promise.resolve())
    return history
  }

  /** The archives of the backups that are there, by id. */
  archives(): Map<string, string> {
    const there = this.made.filter(({ directory }) => existsSync(join(directory, 'backup.json')))
    return new Map(there.map(({ record, directory }) => [record.id, join(directory, 'wal')]))
  }

  async create(): Promise<void> {
    await this.receiveFor(async () => {
      await sleep(1100 - (Date.now() % 1000))
      this.made.push(await aBackupOf(this.server, { root: this.root, args: quick }))
    })
  }

  async write(count: number): Promise<void> {
    const from = (this.rows.at(-1)?.n ?? 1) + 1
    const numbers = Array.from({ length: count }, (_, index) => from + index)
    const position = 'select pg_current_wal_insert_lsn();'
    const statements = numbers.map(
      (n) => `${position} begin; insert into ledger values (${n});
        insert into filler select repeat('x', 500) from generate_series(1, 500); commit; ${position}`,
    )
    await this.receiveFor(async () => {
      const positions = (await this.server.sql(statements.join('\n'), 'app')).split('\n').map(parseLsn)
      const times = await this.server.sql(
        `select to_char(pg_xact_commit_timestamp(xmin) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        from ledger where n >= ${from} order by n`,
        'app',
      )
      for (const [index, time] of times.split('\n').entries()) {
        const [before = 0n, after = 0n] = positions.slice(2 * index)
        this.rows.push({ n: from + index, before, after, time })
      }
    })
  }

  /** The server becomes a standby and is promoted: its WAL goes on on another timeline. */
  async promote(): Promise<void> {
    const { server } = this
    await this.receiveFor(async () => {
      await server.stop()
      await run(['touch', join(server.data, 'standby.signal')])
      await server.start()
      await run([`${server.bin}/pg_ctl`, '-D', server.data, '-w', 'promote'])
    })
    const timeline = this.switches.size + 1
    const name = `${timeline.toString(16).toUpperCase().padStart(8, '0')}.history`
    const [, at = ''] =
      new RegExp(`^${timeline - 1}\\t(\\S+)`, 'm').exec(readFileSync(join(this.all, name), 'utf8')) ?? []
    this.switches.set(timeline, parseLsn(at))
    const newest = [...this.archives().values()].at(-1) ?? ''
    await run(['cp', '-p', join(this.all, name), newest])
  }

  private async receiveFor(work: () => Promise<void>): Promise<void> {
    await work()
    // Without anything new, pg_receivewal tells only every 10 seconds how far it is.
    await this.server.sql("select pg_logical_emit_message(false, 'test', 'more')")
    await receive(this.server, this.all, () => Promise.resolve())
    for (const name of readdirSync(this.all).sort()) await this.give(name)
  }

  /** Puts what is new where a receiver puts it: into the archive of the backup that was the newest then, or is now. */
  private async give(name: string): Promise<void> {
    const place = parseSegmentName(name.slice(0, 24), mb)
    const isPartial = name.endsWith('.partial')
    if (!place || (!isPartial && this.given.has(name))) return
    const archives = this.archives()
    const { record } =
      this.made.findLast(({ record }) => place.segment > lastSegmentBefore(record.stop_lsn, mb)) ?? {}
    if (!record) return
    const archive = archives.get(record.id) ?? [...archives.values()].at(-1) ?? ''
    this.given.add(name)
    await run(['cp', '-p', join(this.all, name), archive])
    if (!isPartial) rmSync(join(archive, `${name}.partial`), { force: true })
  }

  /** Damages, cuts, removes or packs a finished segment that no snapshot in the same archive needs; what was done. */
  harm(what: number, draw: (limit: number) => number): string {
    const files = [...this.archives()].flatMap(([id, archive]) => {
      const own = this.made.find(({ record }) => record.id === id)?.record.stop_lsn ?? '0/0'
      return readdirSync(archive)
        .filter((name) => /^[0-9A-F]{24}$/.test(name))
        .filter((name) => (parseSegmentName(name, mb)?.segment ?? 0n) > lastSegmentBefore(own, mb))
        .sort()
        .map((name) => join(archive, name))
    })
    const path = files[draw(Math.max(1, files.length))]
    if (path === undefined) return 'nothing'
    const content = readFileSync(path)
    if (what === 0) {
      // Behind a switch to the next segment are only zeros, which nobody reads.
      const at = draw(Math.max(1, content.findLastIndex((byte) => byte !== 0) - 16))
      for (let index = at; index < at + 16; index++) content[index] = (content[index] ?? 0) ^ 0xa5
      writeFileSync(path, content)
    } else if (what === 1) writeFileSync(path, content.subarray(0, draw(mb)))
    else {
      if (what === 2) writeAsUser(`${path}.gz`, gzipSync(content))
      rmSync(path)
    }
    return `${['damaged', 'cut', 'packed', 'removed'][what]} ${path.slice(-46)}`
  }
}

function writeAsUser(path: string, content: Buffer): void {
  writeFileSync(path, content)
  if (isRoot) chownSync(path, ordinaryUser.uid, ordinaryUser.gid)
}
