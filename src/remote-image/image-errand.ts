import type { Settings } from '../config/load.js'
import type { Context, Environment, Identity } from '../context.js'
import { PgbkError } from '../errors.js'
import { checkJson, v } from '../schema.js'
import { secretsName } from './served-variables.js'

/** What a process is told that serves an image: pgbk once more. */
export interface ImageErrand {
  /** Where it is, as `openPlace` takes it, and the stores that it may mean, as the configuration was read. */
  place: string
  stores: Settings['stores']
  /** Of its backup. */
  id: string
  bytes: number
  sha256: string
  /** The file of its record, here. */
  record: string
  isEncrypted: boolean
  /** Where to write what was fetched: a FetchNote. */
  note: string
  /** The blocks of all images on this machine. */
  cache: { directory: string; limit: number }
  /** What is made of it lasts: no block that came at another time is taken for it. */
  lasts: boolean
}

const errandSchema: v.GenericSchema<unknown, ImageErrand> = v.object({
  place: v.string(),
  stores: v.record(v.string(), v.any()),
  id: v.string(),
  bytes: v.number(),
  sha256: v.string(),
  record: v.string(),
  isEncrypted: v.boolean(),
  note: v.string(),
  cache: v.object({ directory: v.string(), limit: v.number() }),
  lasts: v.boolean(),
})

/** Variables that tell that process, and no command line, what it decrypts with: a passphrase was asked for here. */
export function secretsFor(identities: readonly Identity[] | undefined): Environment {
  return identities ? { [secretsName]: JSON.stringify(identities) } : {}
}

/** The same context, with what such variables say, and without them. */
export function withSecretsOf(context: Context): Context {
  const { [secretsName]: said, ...env } = context.env
  if (said === undefined) return context
  const { value = [] } = checkJson(identitiesSchema, said)
  return { ...context, env, identities: async () => value }
}

const identitiesSchema: v.GenericSchema<unknown, Identity[]> = v.array(
  v.object({ secret: v.string(), recipient: v.string() }),
)

/** @throws {PgbkError} `usage` for what no pgbk has said. */
export function imageErrandIn(said: string): ImageErrand {
  const { value, faults } = checkJson(errandSchema, said)
  if (faults) throw new PgbkError('usage', `--served is for pgbk itself: ${faults.slice(0, 3).join('; ')}`)
  return value
}
