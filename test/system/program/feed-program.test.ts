import { expect, it } from '@jest/globals'
import { feedProgram } from '../../../src/system/program/feed-program.js'

const { signal } = new AbortController()
const place = { env: { PATH: '/usr/bin:/bin' }, signal }
const megabyte = Buffer.alloc(1 << 20)

it('gives a program its input, and tells what it said', async () => {
  const fed = await feedProgram('wc', ['-c'], place, async (put) => {
    for (let count = 0; count < 5; count++) await put(megabyte)
    return 'done'
  })
  expect(fed).toMatchObject({ status: 0, tookAll: true, outcome: { value: 'done' } })
  expect(fed.stdout.trim()).toBe(String(5 << 20))
})

it('stops giving when the program has ended, and tells how', async () => {
  const fed = await feedProgram('sh', ['-c', 'echo no >&2; exit 3'], place, async (put) => {
    for (;;) await put(megabyte)
  })
  expect(fed).toMatchObject({ status: 3, stderr: 'no', tookAll: false, outcome: { status: 'rejected' } })
})

it('kills the program, and what it has started, when there is no more to give', async () => {
  const fed = await feedProgram('sh', ['-c', 'sleep 100 & cat >/dev/null; wait'], place, async () => {
    throw new RangeError('broken off')
  })
  expect(fed).toMatchObject({ endedBy: 'SIGKILL', tookAll: true, outcome: { status: 'rejected' } })
})

it('kills it when it is aborted', async () => {
  const own = new AbortController()
  const feeding = feedProgram('sleep', ['100'], { ...place, signal: own.signal }, async (put) => {
    setTimeout(() => own.abort(new RangeError('enough')), 50)
    for (;;) await put(megabyte)
  })
  await expect(feeding).rejects.toThrow('enough')
})
