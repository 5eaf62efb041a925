import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { aDirectory, atEnd } from './places.js'
import { freePortsInARow, type S3Server, s3ServerOf } from './s3.js'

const tool = fileURLToPath(new URL('../tools/swift-server.py', import.meta.url))
const portsOfIt = 4

/** Another S3 server that nobody here has made, and that is none of Ceph's: OpenStack Swift. */
export async function aSwiftServer(): Promise<S3Server> {
  const port = await freePortsInARow(portsOfIt)
  const child = execa('/usr/bin/python3', [tool, String(port), aDirectory('pgbk-swift-')], {
    stdin: 'pipe',
    reject: false,
    forceKillAfterDelay: 1000,
  })
  atEnd(async () => {
    child.stdin.end()
    child.kill()
    await child
  })
  const ended = child.then(({ stderr }) => Promise.reject(new Error(`Swift has ended: ${stderr}`)))
  await Promise.race([once(child.stdout, 'data'), ended])
  ended.catch(() => {})
  return s3ServerOf({
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test:tester',
    AWS_SECRET_ACCESS_KEY: 'testing',
  })
}
