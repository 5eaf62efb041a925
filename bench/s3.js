import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { check } from './measure.js'
import { freePort } from './server.js'

// What it says of a Node to come is no concern of a benchmark.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

const tool = fileURLToPath(new URL('../test/tools/s3-server.sh', import.meta.url))

/** Runs `work` with a real S3 server, Ceph's, that keeps its objects in memory; it goes in any case. */
export async function withS3(directory, { tls = true, gigabytes = 8 }, work) {
  const port = await freePorts(10)
  const where = ['--port', String(port), '--dir', join(directory, 's3')]
  try {
    const said = check([
      'bash',
      tool,
      'start',
      ...where,
      ...(tls ? ['--tls'] : []),
      '--size',
      String(gigabytes),
    ])
    return await work(serverOf(Object.fromEntries(said.split('\n').map((line) => line.split('=')))))
  } finally {
    check(['bash', tool, 'clean', ...where])
  }
}

/** What programs that speak S3 are told, and a client. */
function serverOf({ S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_CA_FILE }) {
  const credentials = { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY }
  const client = new S3Client({
    endpoint: S3_ENDPOINT,
    region: S3_REGION,
    credentials,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    ...(S3_CA_FILE && { requestHandler: { httpsAgent: { ca: readFileSync(S3_CA_FILE), keepAlive: true } } }),
  })
  return {
    endpoint: S3_ENDPOINT,
    port: Number(new URL(S3_ENDPOINT).port),
    region: S3_REGION,
    authority: S3_CA_FILE,
    credentials,
    client,
    env: {
      AWS_ENDPOINT_URL: S3_ENDPOINT,
      AWS_REGION: S3_REGION,
      AWS_ACCESS_KEY_ID: S3_ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: S3_SECRET_ACCESS_KEY,
      ...(S3_CA_FILE && { AWS_CA_BUNDLE: S3_CA_FILE }),
    },
    addBucket: async (bucket) => void (await client.send(new CreateBucketCommand({ Bucket: bucket }))),
  }
}

/** The first of some free ports behind each other: the tool takes those after its own, too. */
async function freePorts(count) {
  for (;;) {
    const first = await freePort()
    const others = Array.from({ length: count - 1 }, (_, index) => first + 1 + index)
    if ((await Promise.all(others.map(isFree))).every(Boolean)) return first
  }
}

function isFree(port) {
  return freePort(port).then(
    () => true,
    () => false,
  )
}
