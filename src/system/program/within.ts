/**
 * Waits for something no longer than so many ms; it goes on, though nobody hears of it any more.
 * @throws what `late` makes when it takes longer; what the work throws.
 */
export async function within<T>(ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(late()), ms)
    timer.unref()
  })
  work.catch(() => {}) // told by the race, or too late
  try {
    return await Promise.race([work, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
