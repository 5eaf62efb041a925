import { createHash, type Hash } from 'node:crypto'
import type { PgbkError } from '../../errors.js'
import { oddFile } from '../../system/files/read-small.js'
import { shownPath } from '../../system/paths/byte-path.js'
import { type ManifestFile, manifestFile, usualFile } from './manifest-file.js'
import { SeenNames } from './seen-names.js'

export interface WalRange {
  timeline: number
  startLsn: string
  endLsn: string
}

/** What a manifest says behind its files. */
export interface ManifestEnd {
  /** The WAL that the backup needs to be consistent. */
  ranges: WalRange[]
  /** Whether it is as it was written: its last line has the SHA-256 of all the lines before. */
  isWhole: boolean
}

type Stage = 'version' | 'identifier' | 'files' | 'file' | 'ranges' | 'range' | 'checksum' | 'end'

/** A path has at most 4096 bytes (PATH_MAX), and each may stand as six. */
const longestLine = 6 * 4096 + 1024

/**
 * Reads a manifest, in pieces of any size, as PostgreSQL 13 to 18 write it (src/backend/backup/backup_manifest.c, and
 * src/bin/pg_combinebackup/write_manifest.c) and in no other way: one thing a line, and lines end at \n alone. It takes less than JSON
 * allows, so that no other reader finds in a manifest what this one does not. It is the only one that pgbk has; its memory does not
 * grow but by 8 to 32 bytes for each file.
 */
export class ManifestParser {
  #stage: Stage = 'version'
  #rest: Buffer = Buffer.alloc(0)
  #line = 0
  /** Of the list that is being read: whether another item must, or may not, follow. */
  #follows: 'must' | 'may' | 'may not' = 'may'
  readonly #seen = new SeenNames()
  readonly #hash: Hash | undefined
  readonly #end: ManifestEnd = { ranges: [], isWhole: false }

  /**
   * @param name of the manifest, for messages.
   * @param rules whether nobody asks if it `isWhole`: that takes a quarter of the time, and it is false then.
   */
  constructor(
    private readonly name: string,
    { mayBeChanged = false } = {},
  ) {
    this.#hash = mayBeChanged ? undefined : createHash('sha256')
  }

  /** The files in the lines that this piece completes. @throws {PgbkError} `damaged`. */
  take(piece: Uint8Array): ManifestFile[] {
    const bytes = Buffer.concat([this.#rest, piece])
    const text = bytes.toString('latin1')
    const files: ManifestFile[] = []
    let from = 0
    for (let to = text.indexOf('\n'); to !== -1; to = text.indexOf('\n', from)) {
      this.#line++
      if (this.#stage === 'checksum') this.#hash?.update(bytes.subarray(0, from))
      const file = this.#read(text.slice(from, to))
      if (file) files.push(file)
      from = to + 1
    }
    if (this.#stage !== 'end') this.#hash?.update(bytes.subarray(0, from))
    this.#rest = bytes.subarray(from)
    if (this.#rest.length > longestLine) throw this.#refusal('is too long')
    return files
  }

  /** After the last piece. @throws {PgbkError} `damaged` when something is missing. */
  end(): ManifestEnd {
    if (this.#stage === 'end' && this.#rest.length === 0) return this.#end
    this.#line++
    throw this.#refusal('is not there, or not whole: the manifest is cut off')
  }

  /** @param line its bytes, each as one character. */
  #read(line: string): ManifestFile | undefined {
    if (line.length > longestLine) throw this.#refusal('is too long')
    if (this.#stage === 'file' && line !== '],') return this.#file(line)
    this.#stage = this.#after(line)
    return undefined
  }

  #file(line: string): ManifestFile {
    this.#item(line.endsWith(','))
    const file = usualFile(line) ?? manifestFile(Buffer.from(line, 'latin1'))
    if (typeof file === 'string') throw this.#refusal(file)
    if (this.#seen.add(file.path)) return file
    throw this.#refusal(`names a file a second time: ${JSON.stringify(shownPath(file.path))}`)
  }

  /** What is to follow a line of another kind than files. */
  #after(line: string): Stage {
    switch (this.#stage) {
      case 'version':
        return this.#match(/^\{ "PostgreSQL-Backup-Manifest-Version": ([12]),$/, line)[1] === '1'
          ? 'files'
          : 'identifier'
      case 'identifier':
        this.#match(/^"System-Identifier": \d{1,20},$/, line)
        return 'files'
      case 'files':
        this.#match(/^"Files": \[$/, line)
        return 'file'
      case 'file':
        return this.#endOfList('ranges')
      case 'ranges':
        this.#match(/^"WAL-Ranges": \[$/, line)
        return 'range'
      case 'range':
        return line === '],' ? this.#endOfList('checksum') : this.#range(line)
      case 'checksum':
        this.#end.isWhole =
          this.#match(/^"Manifest-Checksum": "([0-9a-f]{64})"\}$/, line)[1] === this.#hash?.digest('hex')
        return 'end'
      case 'end':
        throw this.#refusal('follows the end')
    }
  }

  #range(line: string): Stage {
    const [, timeline, startLsn = '', endLsn = '', comma] = this.#match(rangeLine, line)
    this.#item(comma === ',')
    if (this.#end.ranges.length === mostRanges) throw this.#refusal('is one range of WAL too many')
    this.#end.ranges.push({ timeline: Number(timeline), startLsn, endLsn })
    return 'range'
  }

  #item(hasComma: boolean): void {
    if (this.#follows === 'may not') throw this.#refusal('follows a last item')
    this.#follows = hasComma ? 'must' : 'may not'
  }

  #endOfList(next: Stage): Stage {
    if (this.#follows === 'must') throw this.#refusal('ends a list of which more was announced')
    this.#follows = 'may'
    return next
  }

  #match(pattern: RegExp, line: string): RegExpExecArray {
    const found = pattern.exec(line)
    if (found) return found
    throw this.#refusal('is not what PostgreSQL writes there')
  }

  #refusal(what: string): PgbkError {
    return oddFile(this.name, `is not understood: line ${this.#line} ${what}`)
  }
}

const mostRanges = 1000

const rangeLine =
  /^\{ "Timeline": (\d{1,10}), "Start-LSN": "([0-9A-F]{1,8}\/[0-9A-F]{1,8})", "End-LSN": "([0-9A-F]{1,8}\/[0-9A-F]{1,8})" \}(,?)$/
