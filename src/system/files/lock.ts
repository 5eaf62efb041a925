import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../../context.js'
import { messageOf, PgbkError } from '../../errors.js'
import { checkJson, v } from '../../schema.js'
import { type StdinBoundProgram, startStdinBound } from '../program/start-stdin-bound.js'
import { type LockFile, openLockFile, readLockFile } from './lock-file.js'

interface LockOptions {
  /** What the holder is doing, for the message that others get: `create`. */
  purpose: string
  /** Wait until the lock is free instead of failing. */
  wait?: boolean
}

/** What somebody has who works under a lock. */
export interface HeldLock {
  /**
   * For the moment before a step that must not be done by two: publishing, removing.
   * @throws {PgbkError} `lock-lost` when the lock is no longer held; the signal's reason when aborted.
   */
  check(): Promise<void>
}

const hold = 'echo held; cat'

/**
 * Runs `work` while no other pgbk can hold the same lock. It is a lock of the kernel (flock), held by a small child
 * that ends with this process: a killed pgbk leaves no lock behind, and one in another container is respected. When the child
 * ends before the work, the signal of the context that `work` gets is aborted.
 * @throws {PgbkError} `locked`, naming the holder, when another process has it; `lock-lost`.
 */
export async function withLock<T>(
  file: string,
  options: LockOptions,
  context: Context,
  work: (guarded: Context, lock: HeldLock) => Promise<T>,
): Promise<T> {
  const { holder, opened } = await acquire(file, options, context)
  const lost = new AbortController()
  let isOver = false
  holder.ended.then(() => isOver || lost.abort(lockLost(file, 'the program that held it was ended')))
  const signal = AbortSignal.any([context.signal, lost.signal])
  const check = async () => {
    // That it has ended would be heard of a little later; that it answers shows that it was there.
    await holder.answerOrEnd(signal)
    signal.throwIfAborted()
    if (!opened.isThere()) throw lockLost(file, 'its file was removed or replaced')
  }
  try {
    leaveNote(file, opened, options.purpose, context)
    return await work({ ...context, signal }, { check })
  } finally {
    isOver = true
    await holder.end()
    opened.close()
  }
}

function lockLost(file: string, how: string): PgbkError {
  return new PgbkError('lock-lost', `the lock ${file} was lost: ${how}`, {
    hint: 'Another pgbk may have begun meanwhile: nothing was published or removed after that. Is the machine short of memory? Look with pgbk list, and try again.',
  })
}

/** For the message that others get. On a full disk, where a delete is wanted most, there is none. */
function leaveNote(file: string, opened: LockFile, purpose: string, { now, progress }: Context): void {
  try {
    opened.write(`${JSON.stringify({ purpose, since: now().toISOString() })}\n`)
  } catch (error) {
    progress.detail(`cannot write to ${file}: ${messageOf(error)}`)
  }
}

/** Who holds a lock now, without waiting for it or writing anything; undefined where nobody does. */
export async function holderOf(file: string, context: Context): Promise<string | undefined> {
  if (!existsSync(file)) return undefined
  readLockFile(file)
  const holder = await startHolder(file, {}, context)
  await holder.end()
  if (holder.firstLine === 'held') return undefined
  if (holder.stderr()) throw new PgbkError('failed', `cannot lock ${file}: ${holder.stderr().trim()}`)
  return describeHolder(file)
}

/** A doctor finds out who has a lock by taking it for some ten milliseconds: nobody must fail for that. */
const [attempts, betweenMs] = [3, 100]

interface Acquired {
  holder: StdinBoundProgram
  opened: LockFile
}

async function acquire(file: string, options: LockOptions, context: Context): Promise<Acquired> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    if (attempt > 1) await sleep(betweenMs)
    try {
      const acquired = await tryToAcquire(file, options, context)
      if (acquired) return acquired
    } catch (error) {
      // Later the file, or its directory, may have gone with the holder's work.
      if (attempt === 1 || context.signal.aborted) throw error
    }
  }
  throw new PgbkError('locked', `another pgbk holds the lock on this root: ${describeHolder(file)}`, {
    hint: 'Wait for it to end and try again. The lock goes with its process; never remove the file.',
  })
}

async function tryToAcquire(
  file: string,
  options: LockOptions,
  context: Context,
): Promise<Acquired | undefined> {
  const opened = openLockFile(file)
  try {
    const holder = await startHolder(file, options, context)
    // While it was waited for, the file may have been removed: others would lock the next one.
    if (holder.firstLine === 'held' && opened.isThere()) return { holder, opened }
    await holder.end()
    if (holder.stderr()) throw new PgbkError('failed', `cannot lock ${file}: ${holder.stderr().trim()}`)
  } catch (error) {
    opened.close()
    throw error
  }
  opened.close()
  return undefined
}

/** flock is in util-linux and busybox; macOS has none, but perl. */
async function startHolder(
  file: string,
  { wait }: Pick<LockOptions, 'wait'>,
  { env, signal }: Context,
): Promise<StdinBoundProgram> {
  try {
    return await startStdinBound('flock', [...(wait ? [] : ['-n']), file, 'sh', '-c', hold], { env, signal })
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'programs-missing') throw error
    return startStdinBound('perl', ['-e', perlHolder, file, wait ? '2' : '6'], { env, signal })
  }
}

/** The second argument is flock's operation: LOCK_EX, with or without LOCK_NB. */
const perlHolder =
  'open(F, ">>", $ARGV[0]) or die "$!\\n"; flock(F, $ARGV[1]) or exit 1; $| = 1; print "held\\n"; while (<STDIN>) { print }'

const word = v.pipe(v.string(), v.regex(/^[\w .:-]{1,100}$/))
const holderSchema = v.object({ purpose: word, since: word })

/** What stands in the file is somebody else's text. */
function describeHolder(file: string): string {
  try {
    const { value } = checkJson(holderSchema, readLockFile(file))
    if (value) return `a ${value.purpose} since ${value.since}`
  } catch {
    // Said below.
  }
  return 'it has just started'
}
