import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'

/** The command lines of all processes but this one, as `ps` shows them. */
export function commandLines(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
  return pids.map((pid) => wordsOf(pid).join(' '))
}

/** The words that a process was started with, and an empty one behind them; none when it has ended. */
export function wordsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}

/** Every command line that was there, at any time, until the work was over. */
export async function commandLinesDuring(work: Promise<unknown>): Promise<string[]> {
  const seen = new Set<string>()
  let over = false
  const watched = work.finally(() => {
    over = true
  })
  while (!over) {
    for (const line of commandLines()) seen.add(line)
    await setImmediate()
  }
  await watched
  return [...seen]
}
