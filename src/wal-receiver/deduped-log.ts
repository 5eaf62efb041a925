import type { Progress } from '../progress.js'

/** Tells what a receiver does, each thing once: what goes on for hours is not said every second. */
export interface DedupedLog {
  /** What is going on now, and is well. */
  report(text: string): void
  /** What keeps it from receiving now, or from asking the server. `null` when nothing does. */
  readonly problem: string | null
  trouble(text: string): void
  /** The same trouble, from time to time. */
  remind(text: string): void
}

const remindAfterMs = 60 * 60 * 1000

export function openDedupedLog({ say, warn }: Pick<Progress, 'say' | 'warn'>, now: () => Date): DedupedLog {
  let last = ''
  let problem: string | null = null
  let saidAt = 0
  const once = (text: string, tell: (text: string) => void) => {
    if (text === last) return
    last = text
    saidAt = now().getTime()
    tell(text)
  }
  return {
    get problem() {
      return problem
    },
    report: (text) => {
      problem = null
      once(text, say)
    },
    trouble: (text) => {
      problem = text
      once(text, warn)
    },
    remind: (text) => {
      if (now().getTime() - saidAt < remindAfterMs) return
      saidAt = now().getTime()
      warn(text)
    },
  }
}
