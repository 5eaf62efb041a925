import { PgbkError } from '../errors.js'
import { sizeOfJson } from '../text/json-size.js'
import type { ReadRecord } from './record.js'

/** What all records of a catalogue may take in memory, roughly: half a million databases, in however many backups. */
const mostMemory = 512 << 20

/** What an object or a number in a list takes. */
const perValue = 64

/** More than twice what a list shows of a record. */
const mostOfPart = 16 << 10

/** Keeps whole records of another place as long as memory is for them, and of further ones what a list shows. */
export class KeptRecords {
  #left: number

  constructor(most = mostMemory) {
    this.#left = most
  }

  /**
   * @param json the record's text.
   * @throws {PgbkError} `damaged` for one of which even that is too much.
   */
  keep(read: ReadRecord, json: string): ReadRecord {
    const { values = 0 } = sizeOfJson(json, Number.POSITIVE_INFINITY) ?? {}
    const memory = json.length + perValue * values
    if (memory <= this.#left) {
      this.#left -= memory
      return read
    }
    const { summary } = read
    if (JSON.stringify(summary).length > mostOfPart)
      throw new PgbkError('damaged', 'its record is too large to be kept beside the others')
    return { summary, raw: summary, isPart: true }
  }
}
