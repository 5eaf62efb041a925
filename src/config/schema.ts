import { recipientFault } from '../encryption/recipient.js'
import { check, type SchemaResult, v } from '../schema.js'
import { isWebUrl } from '../text/web-url.js'

const text = v.pipe(v.string(), v.nonEmpty('must not be empty'))
const span = v.pipe(
  v.string(),
  v.regex(/^\d+ (minute|hour|day|week|month)s?$/, 'must be a span like "14 days"'),
)
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const scalar = v.union([v.string(), v.number(), v.boolean()])

const settingName = v.pipe(
  v.string(),
  v.check((name) => !isPort(name), 'is not a setting of a run: use --port PORT'),
)

const retention = v.strictObject({
  daily: v.optional(count),
  weekly: v.optional(count),
  monthly: v.optional(count),
  on_demand: v.optional(count),
  min: v.optional(count),
  window: v.optional(span),
  wal: v.optional(span),
  pack_after: v.optional(span),
})

const mebibyte = 1 << 20
const sizeMeaning = 'must be a size like 64MB, of 5MB to 5000MB'
const size = v.pipe(
  v.string(sizeMeaning),
  v.regex(/^\d{1,4} ?Mi?B?$/i, sizeMeaning),
  v.transform((written) => Number.parseInt(written, 10) * mebibyte),
  v.check((bytes) => bytes >= 5 * mebibyte && bytes <= 5000 * mebibyte, sizeMeaning),
)

const recipient = v.pipe(
  text,
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = dataset.typed ? recipientFault(dataset.value) : undefined
    if (fault !== undefined) addIssue({ message: fault })
  }),
)

const storeName = v.pipe(
  v.string(),
  v.regex(/^[a-z][a-z0-9_-]{0,62}$/i, 'the name of a store has letters, digits, - and _'),
)

const store = v.strictObject({
  url: text,
  region: v.optional(text),
  endpoint: v.optional(v.pipe(text, v.check(isWebUrl, 'must be a URL like https://s3.example.com'))),
  path_style: v.optional(v.boolean()),
  part_size: v.optional(size),
  storage_class: v.optional(text),
  recipients: v.optional(v.pipe(v.array(recipient), v.minLength(1, 'names nobody: leave it out'))),
  identity: v.optional(text),
  retention: v.optional(v.omit(retention, ['pack_after'])),
  upload: v.optional(v.picklist(['always', 'scheduled', 'never']), 'never'),
  partial_every: v.optional(
    v.pipe(v.string(), v.regex(/^\d{1,4} (second|minute)s?$/, 'must be a span like "30 seconds"')),
    '30 seconds',
  ),
})

/** Every key that a configuration may have; docs/configuration.md explains them. */
const schema = v.strictObject({
  root: v.optional(text),
  connection: v.optional(text),
  source: v.optional(text),
  bin_dir: v.optional(text),
  run_as: v.optional(text, 'postgres'),
  time_zone: v.optional(v.pipe(text, v.check(isTimeZone, 'is not a time zone that this system knows'))),
  create: v.optional(
    v.strictObject({
      checkpoint: v.optional(v.picklist(['fast', 'spread']), 'fast'),
      max_rate: v.optional(
        v.pipe(v.string(), v.regex(/^\d+[kM]?$/, 'must be kilobytes per second, like 50000, 800k or 50M')),
      ),
      wire: v.optional(v.picklist(['none', 'server-zstd']), 'none'),
      verify: v.optional(v.boolean(), true),
      thin: v.optional(v.picklist(['auto', 'off']), 'auto'),
      independent_every: v.optional(v.pipe(count, v.minValue(1)), 14),
      form: v.optional(v.picklist(['plain', 'packed']), 'plain'),
    }),
    {},
  ),
  run: v.optional(
    v.strictObject({
      working_copy: v.optional(v.picklist(['auto', 'overlay', 'reflink', 'copy', 'thin']), 'auto'),
      sandbox: v.optional(v.picklist(['auto', 'off']), 'auto'),
      settings: v.optional(v.record(settingName, scalar), {}),
      cache_size: v.optional(
        v.pipe(v.string(), v.regex(/^\d{1,6} ?[MG]B$/, 'must be a size like "500 MB" or "4 GB"')),
        '1 GB',
      ),
    }),
    {},
  ),
  retention: v.optional(retention),
  stores: v.optional(v.record(storeName, store), {}),
  verify: v.optional(
    v.strictObject({
      sql: v.optional(
        v.array(v.strictObject({ statement: text, expect: scalar, database: v.optional(text) })),
        [],
      ),
    }),
    {},
  ),
  wal: v.optional(
    v.strictObject({
      slot: v.optional(
        v.pipe(v.string(), v.regex(/^[a-z0-9_]{1,63}$/, 'must be lower-case letters, digits and _')),
        'pgbk',
      ),
      compress: v.optional(
        v.union([
          v.picklist(['gzip', 'zstd', 'none']),
          v.pipe(
            v.string(),
            v.regex(/^(gzip|zstd):[1-9]$/, 'must be gzip, gzip:1 to gzip:9, zstd, zstd:1 to zstd:9, or none'),
          ),
        ]),
        'gzip',
      ),
    }),
    {},
  ),
  hooks: v.optional(
    v.strictObject({
      on_success: v.optional(text),
      on_failure: v.optional(text),
      on_warning: v.optional(text),
    }),
    {},
  ),
})

/** What a configuration says before it is checked. */
export type RawConfig = Record<string, unknown>

/** A checked configuration with all defaults filled in. */
export type Config = v.InferOutput<typeof schema>

/** What a configuration says of a store. */
export type StoreConfig = Config['stores'][string]

/** Checks all keys and values at once; each fault is a line with its path. */
export function parseConfig(raw: RawConfig): SchemaResult<Config> {
  return check(schema, raw)
}

/** Whether a setting is the port, by which pgbk reaches what it starts: it is chosen in another way. */
export function isPort(name: string): boolean {
  return name.toLowerCase() === 'port'
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
