import { createServer, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Passes requests on to an S3 server, each after a pause, as a store that is far away, and notes them: what was asked for, when, and the
 * bytes of its answer.
 * @param pauseMs of each request, before it is passed on.
 */
export async function delayingProxy(endpoint, pauseMs) {
  const { hostname, port } = new URL(endpoint)
  const noted = []
  const server = createServer(async (asked, answer) => {
    const note = {
      method: asked.method,
      url: asked.url,
      range: asked.headers.range,
      at: performance.now(),
      bytes: 0,
    }
    noted.push(note)
    asked.pause()
    if (pauseMs > 0) await sleep(pauseMs)
    const { method, url: path, headers } = asked
    // The signature is over the name of the host that was asked for.
    const further = request({ hostname, port, method, path, headers }, (got) => {
      answer.writeHead(got.statusCode, got.headers)
      got.on('data', (piece) => {
        note.bytes += piece.length
      })
      got.pipe(answer)
      got.on('close', () => {
        note.ms = performance.now() - note.at
      })
    })
    further.on('error', () => answer.destroy())
    answer.on('close', () => further.destroy())
    asked.pipe(further)
  })
  server.keepAliveTimeout = 60_000
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${server.address().port}`,
    /** What was asked for since the last call. */
    taken: () => noted.splice(0),
    close: () => server.closeAllConnections() || server.close(),
  }
}
