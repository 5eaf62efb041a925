import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { execa, execaSync } from 'execa'
import type { Context } from '../../../src/context.js'
import { PgbkError } from '../../../src/errors.js'
import { type HeldLock, holderOf, withLock } from '../../../src/system/files/lock.js'
import { aContext, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

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

/** The processes below this one that hold a lock. */
function holdersOf(file: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && textOf(`/proc/${name}/cmdline`).split('\0').includes(file))
    .map(Number)
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // it has ended
  }
}

describe.each([
  ['flock', ['flock', 'sh', 'cat']],
  ['perl', ['perl']],
])('a lock by %s that is lost', (_program, programs) => {
  const own = aContext({ env: anEnvironmentWith(programs) })
  const kill = (file: string) => {
    const holders = holdersOf(file)
    expect(holders.length).toBeGreaterThan(0)
    for (const pid of holders) process.kill(-pid, 'SIGKILL')
  }

  it('aborts the work, with an error that names it', async () => {
    const file = aLock()
    const work = (guarded: Context) => {
      kill(file)
      return sleep(60_000, undefined, { signal: guarded.signal }).catch(() => guarded.signal.throwIfAborted())
    }
    expect(await thrownBy(() => withLock(file, create, own, work))).toMatchObject({
      code: 'lock-lost',
      message: `the lock ${file} was lost: the program that held it was ended`,
    })
    expect(await withLock(file, create, own, async () => 'free')).toBe('free')
  })

  it('is noticed right before what must not be done without it', async () => {
    const file = aLock()
    let isDone = false
    const work = async (_guarded: Context, lock: HeldLock) => {
      await lock.check()
      kill(file)
      await lock.check()
      isDone = true
    }
    expect(await thrownBy(() => withLock(file, create, own, work))).toMatchObject({ code: 'lock-lost' })
    expect(isDone).toBe(false)
  })

  it('because its file was removed or replaced is noticed as well', async () => {
    for (const lose of [rmSync, (file: string) => renameSync(`${file}.other`, file)]) {
      const file = aLock()
      writeFileSync(`${file}.other`, '')
      const work = async (_guarded: Context, lock: HeldLock) => {
        lose(file)
        await lock.check()
      }
      expect(await thrownBy(() => withLock(file, create, own, work))).toMatchObject({ code: 'lock-lost' })
    }
  })

  it('still ends with the signal of the caller', async () => {
    const controller = new AbortController()
    const work = async (_guarded: Context, lock: HeldLock) => {
      controller.abort(new PgbkError('interrupted', 'interrupted'))
      await lock.check()
    }
    const interrupted = { ...own, signal: controller.signal }
    expect(await thrownBy(() => withLock(aLock(), create, interrupted, work))).toMatchObject({
      code: 'interrupted',
    })
  })
})

/** Runs a script of another process with the built module. */
function aProcess(script: string) {
  const module = fileURLToPath(new URL('../../../dist/system/files/lock.js', import.meta.url))
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

  it('is not taken where something else is in its place, and nothing is written through a link', async () => {
    const directory = aDirectory()
    const [link, dangling, pipe, folder] = ['link', 'dangling', 'pipe', 'folder'].map((name) =>
      join(directory, name),
    )
    const precious = join(directory, 'precious')
    writeFileSync(precious, 'as it was')
    symlinkSync(precious, link as string)
    symlinkSync(join(directory, 'made'), dangling as string)
    execaSync('mkfifo', [pipe as string])
    mkdirSync(folder as string)
    for (const file of [link, dangling, pipe, folder] as string[]) {
      for (const look of [
        () => withLock(file, create, context, async () => {}),
        () => holderOf(file, context),
      ]) {
        if (file === dangling && look.toString().includes('holderOf')) continue
        expect(await thrownBy(look)).toMatchObject({
          code: 'failed',
          message: `cannot lock ${file}: it is a link, or no regular file`,
        })
      }
    }
    expect(readFileSync(precious, 'utf8')).toBe('as it was')
    expect(existsSync(join(directory, 'made'))).toBe(false)
  })

  it('shows nothing of a note that is not one of its own', async () => {
    const file = aLock()
    await withLock(file, create, context, async () => {
      writeFileSync(file, JSON.stringify({ purpose: 'x\u001b[2J', since: 'y' }))
      const another = () => withLock(file, create, context, async () => {})
      expect(await thrownBy(another)).toMatchObject({
        message: expect.stringMatching(/: it has just started$/),
      })
    })
  })

  it('needs flock or perl', async () => {
    const nothing = aContext({ env: anEnvironmentWith(['sh', 'cat']) })
    const error = await thrownBy(() => withLock(aLock(), create, nothing, async () => {}))
    expect(error).toMatchObject({ code: 'programs-missing' })
  })
})
