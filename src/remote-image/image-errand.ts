import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Settings } from '../config/load.js'
import type { Identity } from '../context.js'
import { PgbkError } from '../errors.js'
import { checkJson, v } from '../schema.js'

/** What a process is told that will serve an image: pgbk once more, which takes its time to begin. */
export interface ImageErrand {
  /** Where the image is, as `openPlace` takes it, and the stores that it may mean, as the configuration was read. */
  place: string
  stores: Settings['stores']
  /** Where to write what was fetched: a FetchNote. */
  note: string
  /** The blocks of all images on this machine. */
  cache: { directory: string; limit: number }
  /** What is made of it lasts: no block that came at another time is taken for it. */
  lasts: boolean
}

/** Which image that is, and what it is decrypted with: it is told that through its input, where nobody else sees it. */
export interface WantedImage {
  /** Of its backup. */
  id: string
  bytes: number
  sha256: string
  /** The file of its record, here. */
  record: string
  /** Only where it is encrypted. A passphrase was asked for by whoever tells them. */
  identities?: readonly Identity[] | undefined
}

const errandSchema: v.GenericSchema<unknown, ImageErrand> = v.object({
  place: v.string(),
  stores: v.record(v.string(), v.any()),
  note: v.string(),
  cache: v.object({ directory: v.string(), limit: v.number() }),
  lasts: v.boolean(),
})

const wantedSchema: v.GenericSchema<unknown, WantedImage> = v.object({
  id: v.string(),
  bytes: v.number(),
  sha256: v.string(),
  record: v.string(),
  identities: v.optional(v.array(v.object({ secret: v.string(), recipient: v.string() }))),
})

/** @throws {PgbkError} `usage` for what no pgbk has said. */
export function imageErrandIn(said: string): ImageErrand {
  return checked(errandSchema, said)
}

/** As `wantedLine` wrote it. Undefined when whoever would have said it has ended. @throws {PgbkError} `usage`. */
export async function wantedImageIn(input: Readable): Promise<WantedImage | undefined> {
  const said = await text(input)
  return said === '' ? undefined : checked(wantedSchema, said)
}

export function wantedLine(wanted: WantedImage): string {
  return `${JSON.stringify(wanted)}\n`
}

function checked<T>(schema: v.GenericSchema<unknown, T>, said: string): T {
  const { value, faults } = checkJson(schema, said)
  if (faults) throw new PgbkError('usage', `--served is for pgbk itself: ${faults.slice(0, 3).join('; ')}`)
  return value
}
