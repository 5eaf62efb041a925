import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { execa } from 'execa'
// As in test/catalog/samples.ts.
import '../../src/place/store/s3/s3-sdk.js'
import { aDirectory, aFreePort, atEnd } from './places.js'

const tool = fileURLToPath(new URL('../tools/s3-server.sh', import.meta.url))

export interface S3Server {
  endpoint: string
  /** What every program that speaks S3 takes: the endpoint, the region and the credentials. */
  env: Record<string, string>
  client: S3Client
  /** A new bucket. */
  aBucket(options?: { lock?: boolean }): Promise<string>
}

/** The server takes the nine ports after its own, too. */
const portsOfIt = 10

/** A real S3 server, Ceph's. One for a file of tests: it needs some seconds. @param args of `s3-server.sh start`. */
export async function anS3Server(...args: string[]): Promise<S3Server> {
  const port = await freePortsInARow(portsOfIt)
  const where = ['--port', String(port), '--dir', aDirectory('pgbk-s3-')]
  atEnd(async () => void (await execa(tool, ['clean', ...where])))
  const { stdout } = await execa(tool, ['start', ...where, ...args])
  const said = Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)))
  return s3ServerOf({
    AWS_ENDPOINT_URL: said.S3_ENDPOINT,
    AWS_REGION: said.S3_REGION,
    AWS_ACCESS_KEY_ID: said.S3_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY: said.S3_SECRET_ACCESS_KEY,
    ...(said.S3_CA_FILE && { AWS_CA_BUNDLE: said.S3_CA_FILE }),
  })
}

/** Those of an S3 server that each begins with. */
type S3Env = Record<
  'AWS_ENDPOINT_URL' | 'AWS_REGION' | 'AWS_ACCESS_KEY_ID' | 'AWS_SECRET_ACCESS_KEY',
  string
> & { AWS_CA_BUNDLE?: string }

/** A server that runs, as tests use it. */
export function s3ServerOf(env: S3Env): S3Server {
  const credentials = { accessKeyId: env.AWS_ACCESS_KEY_ID, secretAccessKey: env.AWS_SECRET_ACCESS_KEY }
  const client = new S3Client({
    endpoint: env.AWS_ENDPOINT_URL,
    region: env.AWS_REGION,
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    ...(env.AWS_CA_BUNDLE && { requestHandler: { httpsAgent: { ca: readFileSync(env.AWS_CA_BUNDLE) } } }),
  })
  atEnd(() => client.destroy())
  let count = 0
  const aBucket = async ({ lock = false } = {}) => {
    const bucket = `bucket-${++count}`
    await client.send(
      new CreateBucketCommand({ Bucket: bucket, ...(lock && { ObjectLockEnabledForBucket: true }) }),
    )
    return bucket
  }
  return { endpoint: env.AWS_ENDPOINT_URL, env, client, aBucket }
}

/** The first of so many, none of which anybody takes. */
export async function freePortsInARow(count: number): Promise<number> {
  const ports = [await aFreePort()]
  while (ports.length < count || (ports.at(-1) ?? 0) - (ports.at(-count) ?? 0) !== count - 1)
    ports.push(await aFreePort())
  return ports.at(-count) ?? 0
}
