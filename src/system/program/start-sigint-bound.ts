import { createInterface } from 'node:readline'
import { groupIsGone, signalGroup } from './process-group.js'
import type { ProgramPlace } from './program-environment.js'
import { startProgram } from './start-program.js'

/** A program that goes on beside this process, and never longer than it. */
export interface SigintBoundProgram {
  hasEnded(): boolean
  /** Settled when it and all that it had started are gone. */
  ended: Promise<void>
  /** Asks it to end (SIGINT), ends it the hard way when it takes too long, and waits. */
  stop(): Promise<void>
}

interface SigintBoundOptions extends ProgramPlace {
  onErrorLine(line: string): void
}

/** A program that does not answer to SIGINT for so long is killed. */
const patienceMs = 10_000

/**
 * Its own shell asks it to end for every line that it reads, and again and again when this process has ended, in whatever way. It
 * reaps its children: where nobody else does, their group would seem to live on.
 */
const script = `
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{
  while read -r word <&3; do kill -INT $child; done
  tries=0
  while kill -INT $child; do
    sleep 1
    tries=$((tries + 1))
    [ $tries -lt 10 ] || kill -KILL $child
  done
} >/dev/null 2>&1 &
reader=$!
while kill -0 $child 2>/dev/null; do wait $child; done
kill $reader
{ wait $reader; } 2>/dev/null
exit 0
`

/** Starts a program in a process group of its own. @throws {PgbkError} when it cannot be started. */
export async function startSigintBound(
  file: string,
  args: string[],
  options: SigintBoundOptions,
): Promise<SigintBoundProgram> {
  const { child, pid } = await startProgram('sh', ['-c', script, 'sh', file, ...args], options, {
    stdin: 'pipe',
    stdout: 'ignore',
    detached: true,
    cleanup: false,
    buffer: false,
  })
  child.stdin.on('error', () => {}) // it has ended: hasEnded tells
  const lines = createInterface({ input: child.stderr }).on('line', options.onErrorLine)
  const allRead = new Promise<void>((resolve) => lines.once('close', resolve))
  let over = false
  const ended = Promise.all([child, allRead]).then(async () => {
    await groupIsGone(pid)
    over = true
  })
  return {
    hasEnded: () => over,
    ended,
    stop: async () => {
      // It may not listen yet.
      const ask = () => void child.stdin.write('stop\n')
      const again = setInterval(ask, 500)
      const kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), patienceMs)
      ask()
      await ended
      clearInterval(again)
      clearTimeout(kill)
    },
  }
}
