import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { atEnd } from './places.js'

/**
 * A proxy that passes connections on, and tells whom it was asked for, by whom.
 * @param to the port here where all of them end, whomever they are for.
 */
export async function aTunnel(to?: number) {
  const asked: (string | undefined)[][] = []
  const proxy = createServer()
  proxy.on('connect', ({ url = '', headers }, client) => {
    asked.push([url, headers['proxy-authorization']])
    const { hostname, port } = new URL(`http://${url}`)
    const upstream = connect(to ?? Number(port), to === undefined ? hostname : '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      client.pipe(upstream).pipe(client)
    })
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  atEnd(() => void proxy.close())
  return { url: `http://me:secret@127.0.0.1:${(proxy.address() as AddressInfo).port}`, asked }
}
