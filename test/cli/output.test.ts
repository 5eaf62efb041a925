import { PassThrough } from 'node:stream'
import { expect, it } from '@jest/globals'
import { write } from '../../src/cli/output.js'

it('leaves nothing at the stream that it has written to', async () => {
  const stream = new PassThrough()
  for (let count = 0; count < 3; count++) await write(stream, 'a line\n')
  expect(stream.listenerCount('error')).toBe(0)
  expect(String(stream.read())).toBe('a line\n'.repeat(3))
})
