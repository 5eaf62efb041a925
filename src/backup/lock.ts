import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.js'
import { messageOf, PgbkError } from '../errors.js'
import { type HeldProgram, holdProgram } from '../program/hold-program.js'
import { mostBytes, readSmallText } from '../read-small.js'

export interface LockOptions {
  /** What the holder is doing, for the message that others get: `create`. */
  purpose: string
  /** Wait until the lock is free instead of failing. */
  wait?: boolean
}

const hold = 'echo held; cat'

/**
 * Runs `work` while no other pgbk can hold the same lock. It is a lock of the kernel (flock), held by a small child
 * that ends with this process: a killed pgbk leaves no lock behind, and one in another container is respected.
 * @throws {PgbkError} `locked`, naming the holder, when another process has it.
 */
export async function withLock<T>(
  file: string,
  options: LockOptions,
  context: Context,
  work: () => Promise<T>,
): Promise<T> {
  const holder = await acquire(file, options, context)
  try {
    await leaveNote(file, options.purpose, context)
    return await work()
  } finally {
    await holder.end()
  }
}

/** For the message that others get. On a full disk, where a delete is wanted most, there is none. */
async function leaveNote(file: string, purpose: string, { now, progress }: Context): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify({ purpose, since: now().toISOString() })}\n`)
  } catch (error) {
    progress.detail(`cannot write to ${file}: ${messageOf(error)}`)
  }
}

/** Who holds a lock now, without waiting for it or writing anything; undefined where nobody does. */
export async function holderOf(file: string, context: Context): Promise<string | undefined> {
  if (!existsSync(file)) return undefined
  const holder = await startHolder(file, false, context)
  await holder.end()
  if (holder.firstLine === 'held') return undefined
  if (holder.stderr()) throw new PgbkError('failed', `cannot lock ${file}: ${holder.stderr().trim()}`)
  return describeHolder(file)
}

/** A doctor finds out who has a lock by taking it for some ten milliseconds: nobody must fail for that. */
const [attempts, betweenMs] = [3, 100]

async function acquire(file: string, options: LockOptions, context: Context): Promise<HeldProgram> {
  for (let attempt = 1; attempt <= attempts; attempt++) {
    if (attempt > 1) await sleep(betweenMs)
    const holder = await startHolder(file, options.wait ?? false, context)
    if (holder.firstLine === 'held') return holder
    // Later the file may have gone with the holder's work.
    if (attempt === 1 && holder.stderr())
      throw new PgbkError('failed', `cannot lock ${file}: ${holder.stderr().trim()}`)
  }
  throw new PgbkError('locked', `another pgbk holds the lock on this root: ${describeHolder(file)}`, {
    hint: 'Wait for it to end and try again. The lock goes with its process; never remove the file.',
  })
}

/** flock is in util-linux and busybox; macOS has none, but perl. */
async function startHolder(file: string, wait: boolean, { env, signal }: Context): Promise<HeldProgram> {
  try {
    return await holdProgram('flock', [...(wait ? [] : ['-n']), file, 'sh', '-c', hold], { env, signal })
  } catch (error) {
    if (!(error instanceof PgbkError) || error.code !== 'programs-missing') throw error
    return holdProgram('perl', ['-e', perlHolder, file, wait ? '2' : '6'], { env, signal })
  }
}

/** The second argument is flock's operation: LOCK_EX, with or without LOCK_NB. */
const perlHolder =
  'open(F, ">>", $ARGV[0]) or die "$!\\n"; flock(F, $ARGV[1]) or exit 1; $| = 1; print "held\\n"; while (<STDIN>) {}'

function describeHolder(file: string): string {
  try {
    const { purpose, since } = JSON.parse(readSmallText(file, mostBytes.note))
    return `a ${purpose} since ${since}`
  } catch {
    return 'it has just started'
  }
}
