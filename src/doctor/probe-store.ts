import { randomBytes } from 'node:crypto'
import type { Context } from '../context.js'
import { factsOf, PgbkError } from '../errors.js'
import { keysOf } from '../place/store/keys.js'
import type { ObjectStore } from '../place/store/object-store.js'
import { formatBytes, formatDuration } from '../text/format.js'
import { type Check, failed, ok, skipped, warning } from './check.js'
import { contentOf, isRepetition, repeated } from './probe-content.js'

/** Larger than the parts in which stores take objects, of 16 MiB where nothing else is configured. */
const largeBytes = 24 << 20
const smallBytes = 4096

/** S3 refuses what was signed by a clock that differs by more than 15 minutes. */
const mostSkewMs = 15 * 60_000
const noticedSkewMs = 60_000

/** A store that is looked at, and what lines about it begin with. */
interface Probed {
  store: ObjectStore
  name: string
  /** Bytes of the parts that are configured for it. */
  partSize?: number | undefined
}

/**
 * Tries what uploads and downloads do: writes objects of its own, reads them, and removes them. Credentials that may only write are enough for
 * uploads: what they may not do is told, and is no failure.
 */
export async function probeStore({ store, name, partSize = 0 }: Probed, context: Context): Promise<Check[]> {
  const key = keysOf.probes + randomBytes(8).toString('hex')
  const checks: Check[] = []
  const look = async (what: string, work: (called: string) => Promise<Check>): Promise<boolean> => {
    context.signal.throwIfAborted()
    const called = `${name}: ${what}`
    const check = await work(called).catch((error) => failed(called, error))
    checks.push(check)
    return check.status !== 'failed'
  }
  const large = Math.max(largeBytes, partSize + smallBytes)
  if (!(await look('list', (called) => listing(called, store)))) return checks
  try {
    if (!(await look('write', (called) => writing(called, store, key, context)))) return checks
    await look('ranges', (called) => readingRange(called, store, key))
    await look('condition', (called) => refusing(called, store, `${key}-2`))
    await look('parts', (called) => sendingLarge(called, store, `${key}-3`, large, context))
    await look('abort', (called) => breakingOff(called, store, `${key}-4`, 2 * large))
  } finally {
    await look('remove', (called) => removing(called, store, [key, `${key}-2`, `${key}-3`, `${key}-4`]))
  }
  return checks
}

/** Undefined where these credentials may not do that. */
async function ifAllowed<T>(work: Promise<T>): Promise<{ got: T } | undefined> {
  try {
    return { got: await work }
  } catch (error) {
    if (factsOf(error).kind === 'access-denied') return undefined
    throw error
  }
}

async function listing(called: string, store: ObjectStore): Promise<Check> {
  const listed = await ifAllowed(store.directoriesIn('data/backup/'))
  if (!listed) return ok(called, 'answers; these credentials may not list, which uploads do without')
  const { length } = listed.got
  return ok(called, `answers, and has ${length} ${length === 1 ? 'backup' : 'backups'}`)
}

async function writing(called: string, store: ObjectStore, key: string, { now }: Context): Promise<Check> {
  await store.put(key, contentOf(key).subarray(0, smallBytes))
  const before = now().getTime()
  const looked = await ifAllowed(store.stat(key))
  if (!looked)
    return ok(called, 'takes objects; these credentials may only write, and not look at what is there')
  const { got: found } = looked
  if (found?.bytes !== smallBytes)
    throw new PgbkError('failed', `${store.locationOf(key)} was written, and is not there`)
  const skew = Math.abs(found.changedAt.getTime() - before)
  if (skew < noticedSkewMs) return ok(called, 'takes objects; its clock and the one here agree')
  const differ = `its clock and the one here differ by ${formatDuration(skew)}`
  if (skew < mostSkewMs) return warning(called, differ, setClock)
  throw new PgbkError('failed', differ, { hint: setClock })
}

const setClock = 'Set the clock of this machine (timedatectl, chronyc): S3 refuses what is 15 minutes off.'

async function readingRange(called: string, store: ObjectStore, key: string): Promise<Check> {
  const wanted = contentOf(key).subarray(1000, 1500)
  const range = store.read(key, { from: 1000, length: wanted.length }, async (bytes) => {
    const pieces: Buffer[] = []
    for await (const piece of bytes) pieces.push(piece)
    return Buffer.concat(pieces)
  })
  const allowed = await ifAllowed(range)
  if (!allowed) return skipped(called, 'these credentials may not read: downloads and runs need others')
  const { got: read } = allowed
  if (read.equals(wanted)) return ok(called, 'gives ranges of objects')
  throw new PgbkError(
    'failed',
    `it gave ${read.length} bytes, and not the ${wanted.length} that it was asked for`,
    {
      hint: 'A store, or a proxy before it, that ignores ranges cannot be read from in places.',
    },
  )
}

/** Two writers at once: a store that keeps to the condition lets one of them win. */
async function refusing(called: string, store: ObjectStore, key: string): Promise<Check> {
  const put = [1, 2].map((writer) => store.put(key, Buffer.from(`writer ${writer}`), true))
  const won = (await Promise.all(put)).filter((one) => one).length
  if (won === 1) return ok(called, 'lets one of two writers at the same moment win (conditional put)')
  return ok(called, 'does not refuse the second of two writers: pgbk looks again after it has written')
}

async function sendingLarge(
  called: string,
  store: ObjectStore,
  key: string,
  bytes: number,
  { now }: Context,
): Promise<Check> {
  const content = contentOf(key)
  const started = now().getTime()
  await store.send(key, repeated(content, bytes), () => {})
  const sent = now().getTime()
  const speed = (ms: number) => `${formatBytes((bytes * 1000) / Math.max(1, ms))}/s`
  let [read, isSame] = [0, true]
  const back = store.read(key, { from: 0 }, async (pieces) => {
    for await (const piece of pieces) {
      isSame &&= isRepetition(piece, read, content)
      read += piece.length
    }
  })
  if (!(await ifAllowed(back)))
    return ok(
      called,
      `takes objects in parts: ${speed(sent - started)} there; these credentials may not read them`,
    )
  const ended = now().getTime()
  if (read !== bytes || !isSame)
    throw new PgbkError('failed', `of ${formatBytes(bytes)} that were sent in parts, others came back`)
  return ok(called, `takes objects in parts: ${speed(sent - started)} there, ${speed(ended - sent)} back`)
}

async function breakingOff(called: string, store: ObjectStore, key: string, bytes: number): Promise<Check> {
  const reason = new PgbkError('failed', 'the probe ends here')
  const what = repeated(contentOf(key), bytes, (position) => {
    if (position > bytes / 2) throw reason
  })
  const error = await store
    .send(key, what, () => {})
    .then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
  if (error !== reason) throw error ?? new PgbkError('failed', 'it took what was never sent to its end')
  const looked = await ifAllowed(store.stat(key))
  if (!looked)
    return skipped(called, 'these credentials may not see what is left of an upload that breaks off')
  if (looked.got)
    throw new PgbkError('failed', 'an object that was sent in part is there as if it were whole')
  return ok(called, 'has nothing of an upload that breaks off')
}

async function removing(called: string, store: ObjectStore, keys: string[]): Promise<Check> {
  const removed = await ifAllowed(store.remove(keys))
  if (!removed)
    return warning(
      called,
      `these credentials may not remove: ${store.locationOf(keys[0] ?? '')}* stay`,
      removeThem,
    )
  const { got: kept } = removed
  const until = kept
    .flatMap(({ until }) => until ?? [])
    .sort((a, b) => a.getTime() - b.getTime())
    .at(-1)
  if (kept.length > 0)
    return ok(
      called,
      `keeps what was written ${until ? `until ${until.toISOString()}` : 'until it is released'} (Object Lock): ${kept.length} objects of this probe stay`,
    )
  for (const key of keys)
    if ((await ifAllowed(store.stat(key)))?.got)
      throw new PgbkError('failed', `${store.locationOf(key)} was removed, and is still there`)
  return ok(called, 'removes objects')
}

const removeThem = 'Remove them with the credentials that prune and delete need, too.'
