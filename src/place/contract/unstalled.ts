import { within } from '../../system/program/within.js'

/** A connection that brings less than this in the time in which nothing may come stands still, too; a small end of it excepted, in bytes. */
export const leastAtATime = 16 << 10

/**
 * The pieces of what comes from elsewhere, for as long as it really comes.
 * @param ms how long less than `leastAtATime` may come.
 * @throws what `late` makes when it does not.
 */
export async function* unstalled(
  pieces: AsyncIterable<Buffer>,
  ms: number,
  late: () => Error,
): AsyncGenerator<Buffer> {
  const iterator = pieces[Symbol.asyncIterator]()
  for (let [since, came] = [performance.now(), 0]; ; ) {
    const left = Math.max(0, ms - (performance.now() - since))
    const next = await within(left, iterator.next(), late)
    if (next.done) return
    came += next.value.length
    const waited = performance.now()
    yield next.value
    // What the reader takes is not the sender's.
    since += performance.now() - waited
    if (came >= leastAtATime) [since, came] = [performance.now(), 0]
  }
}
