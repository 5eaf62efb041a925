import { PassThrough, Writable } from 'node:stream'
import { main } from '../../src/cli.js'
import type { ProcessContext } from '../../src/process-context.js'
import { aContext } from '../catalog/samples.js'

export interface WorldOptions {
  cwd?: string
  env?: Record<string, string>
  /** Set where the streams are a terminal. */
  terminal?: { columns: number }
  /** What writing to stdout fails with. */
  fault?: Error
  signal?: AbortSignal
}

class Written extends Writable {
  text = ''
  constructor(
    readonly fault: Error | undefined,
    readonly isTTY: boolean,
    readonly columns: number | undefined,
  ) {
    super({ decodeStrings: false })
  }

  override _write(chunk: string, _encoding: string, done: (error?: Error) => void): void {
    if (!this.fault) this.text += chunk
    done(this.fault)
  }
}

/** Runs one command line in this process, a quarter of an hour after the sample backup. */
export async function pgbk(argv: string[], options: WorldOptions = {}) {
  const { terminal, env = {}, cwd = '/' } = options
  const stdout = new Written(options.fault, terminal !== undefined, terminal?.columns)
  const stderr = new Written(undefined, terminal !== undefined, terminal?.columns)
  const context = aContext({ cwd, env: { PATH: '/usr/bin:/bin', HOME: '/no/such/home', ...env } })
  const world = {
    ...context,
    ...(options.signal ? { signal: options.signal } : {}),
    now: () => new Date('2026-11-20T03:15:00Z'),
    stdin: new PassThrough(),
    stdout,
    stderr,
  } as unknown as ProcessContext
  const status = await main(argv, world)
  return { status, stdout: stdout.text, stderr: stderr.text }
}
