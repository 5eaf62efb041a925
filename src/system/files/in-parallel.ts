/**
 * Works on several items at a time, in no particular order. The first failure stops the rest, and is thrown when nothing is
 * going on any more.
 */
export async function inParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]()
  let failed = false
  const worker = async () => {
    for (let next = await waiting.next(); !failed && !next.done; next = await waiting.next())
      await work(next.value)
  }
  const stopAll = (error: unknown) => {
    failed = true
    throw error
  }
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, () => worker().catch(stopAll)))
  await waiting.return?.()
  const first = ends.find((end) => end.status === 'rejected')
  if (first) throw first.reason
}

/** Like Promise.all, but nothing is still going on when it fails: what comes next is the clean-up. */
export async function allOf<T extends readonly unknown[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

/** Has one work done at a time, in the order in which it is asked for it. */
export function oneAfterTheOther(): InTurn {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const own = last.then(work)
    last = own.catch(() => {})
    return own
  }
}
