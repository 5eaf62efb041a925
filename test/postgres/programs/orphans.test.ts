import { type ChildProcess, spawn } from 'node:child_process'
import { afterEach, describe, expect, it } from '@jest/globals'
import { endOrphans } from '../../../src/postgres/programs/orphans.js'
import { aDirectory } from '../../helpers/places.js'

const started: ChildProcess[] = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

/** A process that sleeps, with a command line like that of pg_basebackup. */
async function aSleeper(argument: string, { name = '/pg/bin/pg_basebackup', stubborn = false } = {}) {
  const script = `${stubborn ? "process.on('SIGTERM', () => {});" : ''} console.log('ready'); setInterval(() => {}, 1e6)`
  const args = ['-e', script, '--', argument, '--format=plain']
  const child = spawn(process.execPath, args, { argv0: name, cwd: '/', stdio: ['ignore', 'pipe', 'ignore'] })
  started.push(child)
  const ended = new Promise<string | null>((resolve) => child.on('exit', (_code, signal) => resolve(signal)))
  await new Promise((resolve) => child.stdout?.once('data', resolve))
  return { child, ended }
}
const env = { PATH: process.env.PATH }

describe('endOrphans', () => {
  it('ends the pg_basebackup of this directory, and the WAL process of it', async () => {
    const directory = aDirectory()
    const both = [await aSleeper(`--pgdata=${directory}`), await aSleeper(`--pgdata=${directory}`)]
    expect(await endOrphans(directory, env)).toBe(2)
    for (const { ended } of both) expect(await ended).toBe('SIGTERM')
  })

  it('leaves those of other directories alone', async () => {
    const directory = aDirectory()
    const others = [await aSleeper(`--pgdata=${directory}2`), await aSleeper(directory)]
    expect(await endOrphans(directory, env)).toBe(0)
    for (const { child } of others) expect(child.exitCode ?? child.signalCode).toBeNull()
  })

  it('leaves other programs alone', async () => {
    const directory = aDirectory()
    const { child } = await aSleeper(`--pgdata=${directory}`, { name: 'watcher' })
    expect(await endOrphans(directory, env)).toBe(0)
    expect(child.exitCode ?? child.signalCode).toBeNull()
  })

  it('ends the hard way what does not listen', async () => {
    const directory = aDirectory()
    const { ended } = await aSleeper(`--pgdata=${directory}`, { stubborn: true })
    expect(await endOrphans(directory, env)).toBe(1)
    expect(await ended).toBe('SIGKILL')
  })

  it('finds nothing where nothing runs', async () => expect(await endOrphans(aDirectory(), env)).toBe(0))
})
