import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, PutBucketPolicyCommand, S3Client } from '@aws-sdk/client-s3'
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

/** A further user of `anS3Server`, who may do what policies allow: NAME is the access key. @returns its environment. */
export async function anS3User({ env }: S3Server, name: string): Promise<Record<string, string>> {
  await execa(tool, ['user', name, '--dir', sharedDirectory()])
  return { ...env, AWS_ACCESS_KEY_ID: name }
}

function sharedDirectory(): string {
  return join(process.env.PGBK_TEST_ONCE ?? '', 's3')
}

/** The server takes the nine ports after its own, too. */
const portsOfIt = 10

/**
 * A real S3 server, Ceph's: one for all files of a run of the tests, which the first that asks for it starts in some seconds, and
 * jest.config.js ends.
 */
export async function anS3Server(): Promise<S3Server> {
  const directory = sharedDirectory()
  return s3ServerOf(await startCeph(directory, [], ['flock', '--close', `${directory}.lock`]))
}

/** One with further arguments of `s3-server.sh start`, for this file of tests. */
export async function anS3ServerOfItsOwn(...args: string[]): Promise<S3Server> {
  const directory = aDirectory('pgbk-s3-')
  atEnd(async () => void (await execa(tool, ['clean', '--dir', directory])))
  return s3ServerOf(await startCeph(directory, args))
}

/** @returns what it is where it runs already. @param before what the command that starts it begins with. */
async function startCeph(directory: string, args: string[], before: string[] = []): Promise<S3Env> {
  const port = String(await freePortsInARow(portsOfIt))
  const [file = '', ...words] = [...before, tool, 'start', '--port', port, '--dir', directory, ...args]
  const { stdout } = await execa(file, words)
  const said = Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)))
  return {
    AWS_ENDPOINT_URL: said.S3_ENDPOINT,
    AWS_REGION: said.S3_REGION,
    AWS_ACCESS_KEY_ID: said.S3_ACCESS_KEY_ID,
    AWS_SECRET_ACCESS_KEY: said.S3_SECRET_ACCESS_KEY,
    ...(said.S3_CA_FILE && { AWS_CA_BUNDLE: said.S3_CA_FILE }),
  }
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
  const aBucket = async ({ lock = false } = {}) => {
    const bucket = `bucket-${randomUUID()}`
    await client.send(
      new CreateBucketCommand({ Bucket: bucket, ...(lock && { ObjectLockEnabledForBucket: true }) }),
    )
    return bucket
  }
  return { endpoint: env.AWS_ENDPOINT_URL, env, client, aBucket }
}

const allButWriting = [
  'GetObject',
  'ListBucket',
  'ListMultipartUploadParts',
  'ListBucketMultipartUploads',
  'DeleteObject',
  'AbortMultipartUpload',
]

/** Lets nobody do anything with a bucket but write into it, or what else is not denied. */
export async function letOnlyWrite(
  { client }: S3Server,
  bucket: string,
  denied = allButWriting,
): Promise<void> {
  const Statement = [
    {
      Effect: 'Deny',
      Principal: '*',
      Action: denied.map((name) => `s3:${name}`),
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    },
  ]
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  await client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }))
}

/** The first of so many, none of which anybody takes. */
export async function freePortsInARow(count: number): Promise<number> {
  const ports = [await aFreePort()]
  while (ports.length < count || (ports.at(-1) ?? 0) - (ports.at(-count) ?? 0) !== count - 1)
    ports.push(await aFreePort())
  return ports.at(-count) ?? 0
}
