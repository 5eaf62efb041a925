import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { withLock } from '../../src/backup/lock.js'
import { PgbkError } from '../../src/errors.js'
import { aDirectory } from '../helpers/places.js'
import { aContext, thrownBy } from './samples.js'

const create = { purpose: 'create' }
const context = aContext()
const aLock = () => join(aDirectory(), '.lock')

/** An environment with these programs, and no other. */
function anEnvironmentWith(programs: string[]) {
  const bin = join(aDirectory(), 'bin')
  mkdirSync(bin)
  for (const name of programs) {
    const place = ['/usr/bin', '/bin', '/usr/local/bin'].find((path) => existsSync(join(path, name)))
    symlinkSync(join(place ?? '/missing', name), join(bin, name))
  }
  return { PATH: bin }
}

describe.each([
  ['flock', ['flock', 'sh', 'cat']],
  ['perl', ['perl']],
])('a lock by %s', (_program, programs) => {
  const own = aContext({ env: anEnvironmentWith(programs) })

  it('has one holder, whom the others name', async () => {
    const file = aLock()
    const work = async () => {
      expect(await thrownBy(() => withLock(file, create, own, async () => {}))).toMatchObject({
        code: 'locked',
        message: 'another pgbk holds the lock on this root: a prune since 2026-11-20T03:00:00.000Z',
      })
      return 'done'
    }
    expect(await withLock(file, { purpose: 'prune' }, own, work)).toBe('done')
    expect(await withLock(file, create, own, async () => 'free')).toBe('free')
  })

  it('is free again when the work has failed', async () => {
    const file = aLock()
    const failing = () => withLock(file, create, own, () => Promise.reject(new RangeError('why')))
    expect(await thrownBy(failing)).toMatchObject({ message: 'why' })
    expect(await withLock(file, create, own, async () => 'free')).toBe('free')
  })

  it('is not refused because somebody has looked for a moment who has it', async () => {
    const file = aLock()
    let second: Promise<unknown> | undefined
    await withLock(file, create, own, async () => {
      second = withLock(file, create, own, async () => 'held')
      await new Promise((resolve) => setTimeout(resolve, 50))
    })
    expect(await second).toBe('held')
  })

  it('is waited for when that is wanted', async () => {
    const file = aLock()
    const order: string[] = []
    let second: Promise<unknown> | undefined
    await withLock(file, create, own, async () => {
      second = withLock(file, { ...create, wait: true }, own, async () => order.push('second'))
      await new Promise((resolve) => setTimeout(resolve, 200))
      order.push('first')
    })
    await second
    expect(order).toEqual(['first', 'second'])
  })
})

/** Runs a script of another process with the built module. */
function aProcess(script: string) {
  const module = fileURLToPath(new URL('../../dist/backup/lock.js', import.meta.url))
  const whole = `const { withLock } = await import(${JSON.stringify(module)})\n${script}`
  const args = ['--input-type=module', '-e', whole]
  return execa(process.execPath, args, { reject: false, timeout: 5_000, killSignal: 'SIGKILL' })
}

describe('a lock', () => {
  it('goes with its process, also by kill -9', async () => {
    const file = aLock()
    const holder = aProcess(`
      const context = { env: process.env, now: () => new Date(), signal: new AbortController().signal }
      await withLock(${JSON.stringify(file)}, { purpose: 'create' }, context, async () => {
        console.log('held')
        await new Promise((resolve) => setTimeout(resolve, 1e9))
      })`)
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    const another = () => withLock(file, create, context, async () => {})
    expect(await thrownBy(another)).toMatchObject({ code: 'locked' })
    holder.kill('SIGKILL')
    await holder
    expect(await withLock(file, { ...create, wait: true }, context, async () => 'free')).toBe('free')
  })

  it('ends a wait with the reason of the signal', async () => {
    const file = aLock()
    const controller = new AbortController()
    await withLock(file, create, context, async () => {
      setTimeout(() => controller.abort(new PgbkError('interrupted', 'interrupted')), 100)
      const waiting = aContext({ signal: controller.signal })
      const wait = () => withLock(file, { ...create, wait: true }, waiting, async () => {})
      expect(await thrownBy(wait)).toMatchObject({ code: 'interrupted' })
    })
  })

  it('is not kept by a process that was interrupted before it could work', async () => {
    const file = aLock()
    writeFileSync(file, '')
    const { timedOut } = await aProcess(`
      const context = { env: process.env, signal: AbortSignal.abort(new Error('interrupted')) }
      await withLock(${JSON.stringify(file)}, { purpose: 'create' }, context, async () => {}).catch(() => {})`)
    expect(timedOut).toBe(false)
  })

  it('says why its file cannot be made', async () => {
    const file = join(aDirectory(), 'missing', '.lock')
    const error = await thrownBy(() => withLock(file, create, context, async () => {}))
    expect(error).toMatchObject({ code: 'failed', message: expect.stringContaining(`cannot lock ${file}: `) })
  })

  it('needs flock or perl', async () => {
    const nothing = aContext({ env: anEnvironmentWith(['sh', 'cat']) })
    const error = await thrownBy(() => withLock(aLock(), create, nothing, async () => {}))
    expect(error).toMatchObject({ code: 'programs-missing' })
  })
})
