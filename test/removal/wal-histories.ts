import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { type LocalBackup, layoutOf } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import type { RootLayout } from '../../src/catalog/layout.js'
import { removeBackup } from '../../src/catalog/remove.js'
import { keepReplacedWal } from '../../src/removal/keep-replaced-wal.js'
import { neededWal } from '../../src/removal/needed-wal.js'
import { moveWal } from '../../src/wal-coverage/move-wal.js'
import { formatLsn, segmentName } from '../../src/wal-segments/lsn.js'
import { aBackup, aContext, anEmptyRoot, aRecord } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

const mb = 1024 ** 2

/** pg_waldump that can read all but what is marked as damaged: what it is given are only the headers of segments. */
const bin = aDirectory('pgbk-fake-bin-')
writeFileSync(
  join(bin, 'pg_waldump'),
  `#!/bin/sh
for one; do case $one in -*) ;; *) last=$one; first=\${first-$one} ;; esac; done
for file in $(ls); do
  if [ "$file" \\< "$first" ] || [ "$file" \\> "$last" ]; then continue; fi
  if head -c 64 "$file" | grep -q harmed; then
    echo "pg_waldump: fatal: damaged page in segment $file" >&2
    exit 1
  fi
done
`,
  { mode: 0o755 },
)
export const joining = {
  env: { PATH: process.env.PATH, TMPDIR: aDirectory() },
  signal: new AbortController().signal,
  installations: async () => [{ bin, version: '15.18', major: 15 }],
}

/** A root, and a server of which everything is known: what its WAL has been, and on which timeline. */
export class WalHistory {
  readonly root: RootLayout = anEmptyRoot()
  /** The timeline of each segment that was written, by its number. */
  readonly timelines = new Map<number, number>()
  private position = 3
  private timeline = 1
  private forks: [number, number][] = []
  private created = 0
  /** Whether anything was ever damaged. */
  isHarmed = false
  private target: string | undefined

  private wal(id: string): string {
    return join(this.root.backup(id), 'wal')
  }

  backups(): LocalBackup[] {
    return readCatalog(this.root.root).backups
  }

  private nameOf(number: number): string {
    return segmentName(this.timelines.get(number) ?? 0, BigInt(number), mb)
  }

  private put(number: number, archive: string): void {
    const path = join(archive, this.nameOf(number))
    const page = Buffer.alloc(64)
    const little = endianness() === 'LE'
    const two = (value: number, at: number) =>
      little ? page.writeUInt16LE(value, at) : page.writeUInt16BE(value, at)
    const eight = (value: bigint, at: number) =>
      little ? page.writeBigUInt64LE(value, at) : page.writeBigUInt64BE(value, at)
    two(0xd110, 0)
    two(2, 2)
    eight(BigInt(number * mb), 8)
    eight(BigInt(aRecord().server.system_identifier), 24)
    page.write(`${number}`, 48)
    writeFileSync(path, page)
    truncateSync(path, mb)
  }

  /** The receiver gets what is written, if there is one. */
  write(count: number, isReceived = true): void {
    for (let number = this.position; number < this.position + count; number++) {
      this.timelines.set(number, this.timeline)
      if (this.target && isReceived) this.put(number, this.wal(this.target))
    }
    this.position += count
  }

  create(): void {
    const number = this.position
    const older = this.target
    this.write(1)
    const id = new Date(Date.UTC(2026, 10, 20, 3, 0, this.created++))
      .toISOString()
      .slice(0, 19)
      .replace(/[-:]/g, '')
    const [start_lsn, stop_lsn] = [number * mb + 40, number * mb + 256].map((at) => formatLsn(BigInt(at)))
    const { timeline } = this
    const { wal } = aBackup(this.root, `${id}Z`, {
      timeline,
      start_lsn,
      stop_lsn,
      wal_segment_size: mb,
    } as object)
    for (const name of readdirSync(wal)) rmSync(join(wal, name))
    this.put(number, wal)
    const inSnapshot = join(this.root.backup(`${id}Z`), 'snapshot/data/pg_wal')
    mkdirSync(inSnapshot)
    this.put(number, inSnapshot)
    if (older)
      for (const name of readdirSync(this.wal(older)))
        if (name.endsWith('.history')) copyFileSync(join(this.wal(older), name), join(wal, name))
    this.target = `${id}Z`
  }

  promote(): void {
    this.forks.push([this.timeline, this.position])
    this.timeline++
    if (!this.target) return
    const lines = this.forks.map(
      ([from, at]) => `${from}\t${formatLsn(BigInt(at * mb))}\tno recovery target specified\n`,
    )
    const name = `${this.timeline.toString(16).toUpperCase().padStart(8, '0')}.history`
    writeFileSync(join(this.wal(this.target), name), lines.join(''))
  }

  /** Something takes a file away. */
  lose(archive: number, file: number): void {
    const one = this.backups()[archive]
    const names = one ? readdirSync(layoutOf(one).wal).filter((name) => name.length === 24) : []
    const name = names[file % Math.max(1, names.length)]
    if (one && name !== undefined) rmSync(join(layoutOf(one).wal, name))
  }

  /** Bits flip in one of several copies of a segment. */
  harm(archive: number, file: number): void {
    const backups = this.backups()
    const one = backups[archive % backups.length]
    const names = one ? segmentsIn(layoutOf(one).wal) : []
    const copies = (name: string) =>
      backups.filter((backup) => soundIn(layoutOf(backup).wal).includes(name)).length
    const shared = names.filter((name) => copies(name) > 1)
    const name = shared[file % Math.max(1, shared.length)]
    if (!one || name === undefined) return
    this.isHarmed = true
    harmFile(join(layoutOf(one).wal, name))
  }

  /** Somebody copies segments of the newest archive into an older one. */
  share(archive: number, count: number): void {
    const [newest, ...older] = this.backups()
    const to = older[archive % Math.max(1, older.length)]
    if (!newest || !to) return
    for (const name of soundIn(layoutOf(newest).wal).slice(0, count)) {
      const target = join(layoutOf(to).wal, name)
      if (!existsSync(target)) copyFileSync(join(layoutOf(newest).wal, name), target)
    }
  }

  /** A download of a backup that is here, with the first of its segments. */
  download(one: LocalBackup, count: number): LocalBackup {
    const download = this.root.download(one.id)
    const wal = join(download, 'wal')
    mkdirSync(wal, { recursive: true })
    copyFileSync(layoutOf(one).record, join(download, 'backup.json'))
    const histories = readdirSync(layoutOf(one).wal).filter((name) => name.endsWith('.history'))
    for (const name of [...soundIn(layoutOf(one).wal).slice(0, count), ...histories])
      copyFileSync(join(layoutOf(one).wal, name), join(wal, name))
    return { ...one, directory: download }
  }

  /** It takes the place of it, unless that is refused. */
  async replace(index: number, count: number): Promise<void> {
    const one = this.backups()[index]
    if (!one || soundIn(layoutOf(one).wal)[0] !== this.nameOf(this.firstOf(one))) return
    const download = this.download(one, 1 + count)
    try {
      await keepReplacedWal(this.root, download, { joining, grows: false }, aContext())
      rmSync(layoutOf(one).wal, { recursive: true })
      renameSync(layoutOf(download).wal, layoutOf(one).wal)
    } catch (error) {
      // Behind a gap, nothing tells whether it goes on there.
      if (!/does not continue what was downloaded/.test(String(error))) throw error
    }
    rmSync(download.directory, { recursive: true })
  }

  private firstOf({ summary }: LocalBackup): number {
    return Number(BigInt(`0x${summary.start_lsn.split('/')[1]}`) / BigInt(mb))
  }

  /** @param killedAfter so many of the segments have moved when the first attempt is killed. */
  async remove(index: number, killedAfter: number | undefined): Promise<void> {
    const backup = this.backups()[index]
    if (!backup) return
    const plan = () => {
      const catalog = readCatalog(this.root.root)
      return neededWal({ catalog, going: [backup], promised: catalog.backups }, joining)(backup)
    }
    if (killedAfter !== undefined)
      for (const move of await plan())
        await moveWal({ ...move, segments: move.segments.slice(0, killedAfter) })
    for (const move of await plan()) await moveWal(move)
    await removeBackup(this.root, backup)
    if (this.target === backup.id) this.target = this.backups()[0]?.id
    mkdirSync(this.root.backups, { recursive: true })
  }

  /** The last segment that a backup reaches: its first, and all after it, are there, wherever they lie. */
  reachOf({ summary }: LocalBackup): number | undefined {
    const first = this.firstOf({ summary } as LocalBackup)
    const everywhere = new Set(this.backups().flatMap((one) => soundIn(layoutOf(one).wal)))
    if (!everywhere.has(this.nameOf(first))) return undefined
    let last = first
    while (everywhere.has(this.nameOf(last + 1))) last++
    return last
  }
}

const harmed = 'harmed'

function harmFile(path: string): void {
  const bytes = readFileSync(path)
  bytes.write(harmed, 56)
  // Not through further names of the file.
  rmSync(path)
  writeFileSync(path, bytes)
}

function segmentsIn(archive: string): string[] {
  return readdirSync(archive)
    .filter((name) => name.length === 24)
    .sort()
}

function soundIn(archive: string): string[] {
  return segmentsIn(archive).filter(
    (name) => !readFileSync(join(archive, name)).subarray(0, 64).includes(harmed),
  )
}
