/** Does so many things at a time; those that somebody waits for come first. */
export type UrgentFirst = <T>(isUrgent: boolean, work: () => Promise<T>) => Promise<T>

export function turns(atOnce: number): UrgentFirst {
  const waiting: { urgent: (() => void)[]; others: (() => void)[] } = { urgent: [], others: [] }
  let going = 0
  return async (isUrgent, work) => {
    if (going >= atOnce)
      await new Promise<void>((go) => (isUrgent ? waiting.urgent : waiting.others).push(go))
    else going++
    try {
      return await work()
    } finally {
      const next = waiting.urgent.shift() ?? waiting.others.shift()
      if (next) next()
      else going--
    }
  }
}
