import { createServer, type Server } from 'node:net'
import { describe, expect, it } from '@jest/globals'
import { choosePort, isFree } from '../../../src/postgres/local/port.js'
import { thrownBy } from '../../catalog/samples.js'
import { aFreePort, atEnd } from '../../helpers/places.js'

/** Something that listens. */
async function takes(port: number): Promise<Server> {
  const server = createServer()
  atEnd(() => void server.close())
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return server
}

describe('a port', () => {
  it('is one that no outgoing connection gets where none is wanted', async () => {
    for (let count = 0; count < 20; count++) {
      const port = await choosePort()
      expect(port).toBeGreaterThanOrEqual(61_000)
      expect(port).toBeLessThanOrEqual(65_535)
    }
  })

  it('is the one that is wanted, unless another has it', async () => {
    const port = await aFreePort()
    expect(await choosePort(port)).toBe(port)
    await takes(port)
    expect(await isFree(port)).toBe(false)
    expect(await thrownBy(() => choosePort(port))).toMatchObject({
      code: 'failed',
      message: `port ${port} is in use`,
    })
  })
})
