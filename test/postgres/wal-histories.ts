import { copyFileSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import { type Backup, readCatalog } from '../../src/backup/catalog.js'
import type { RootLayout } from '../../src/backup/layout.js'
import { formatLsn, segmentName } from '../../src/backup/lsn.js'
import { moveWal } from '../../src/backup/move-wal.js'
import { removeBackup } from '../../src/backup/remove.js'
import { neededWal } from '../../src/postgres/needed-wal.js'
import { aBackup, anEmptyRoot, aRecord } from '../backup/samples.js'
import { aDirectory } from '../helpers/places.js'

const mb = 1024 ** 2

/** pg_waldump that can read all: what it is given are only the headers of segments. */
const bin = aDirectory('pgbk-fake-bin-')
writeFileSync(join(bin, 'pg_waldump'), '#!/bin/sh\nexit 0\n', { mode: 0o755 })
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
  private target: string | undefined

  private wal(id: string): string {
    return join(this.root.backup(id), 'wal')
  }

  backups(): Backup[] {
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
    const names = one ? readdirSync(one.layout.wal).filter((name) => name.length === 24) : []
    const name = names[file % Math.max(1, names.length)]
    if (one && name !== undefined) rmSync(join(one.layout.wal, name))
  }

  /** @param killedAfter so many of the segments have moved when the first attempt is killed. */
  async remove(index: number, killedAfter: number | undefined): Promise<void> {
    const backup = this.backups()[index]
    if (!backup) return
    const plan = () => {
      const catalog = readCatalog(this.root.root)
      return neededWal(backup, { catalog, going: [backup], promised: catalog.backups }, joining)
    }
    if (killedAfter !== undefined)
      for (const move of await plan())
        await moveWal({ ...move, segments: move.segments.slice(0, killedAfter) })
    for (const move of await plan()) await moveWal(move)
    await removeBackup(this.root, backup)
    if (this.target === backup.id) this.target = this.backups()[0]?.id
    mkdirSync(this.root.backups, { recursive: true })
  }

  /** The last segment that a backup reaches: its own first, and all after it, are there, wherever they lie. */
  reachOf({ summary, layout }: Backup): number | undefined {
    const first = Number(BigInt(`0x${summary.start_lsn.split('/')[1]}`) / BigInt(mb))
    const everywhere = new Set(this.backups().flatMap((one) => readdirSync(one.layout.wal)))
    if (!readdirSync(layout.wal).includes(this.nameOf(first))) return undefined
    let last = first
    while (everywhere.has(this.nameOf(last + 1))) last++
    return last
  }
}
