import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { check } from './measure.js'

const tool = fileURLToPath(new URL('../test/tools/s3-server.sh', import.meta.url))

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'

/** Runs `work` with a real S3 server, Ceph's, that has one bucket, in memory; it is removed in any case. */
export async function withS3Server(directory, gigabytes, work) {
  const where = ['--port', String(await portsInARow(10)), '--dir', directory]
  try {
    const said = check(['bash', tool, 'start', ...where, '--size', String(gigabytes)])
    const of = (name) => new RegExp(`^${name}=(.*)$`, 'm').exec(said)?.[1]
    const [accessKeyId, secretAccessKey] = [of('S3_ACCESS_KEY_ID'), of('S3_SECRET_ACCESS_KEY')]
    const [endpoint, region] = [of('S3_ENDPOINT'), of('S3_REGION')]
    const client = new S3Client({
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey },
      forcePathStyle: true,
    })
    await client.send(new CreateBucketCommand({ Bucket: 'bench' }))
    client.destroy()
    const env = { AWS_REGION: region, AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }
    return await work({ endpoint, url: 's3://bench/pg', env })
  } finally {
    check(['bash', tool, 'clean', ...where])
  }
}

/** It takes the nine ports after its own, too. */
async function portsInARow(count) {
  for (;;) {
    const first = 20_000 + Math.floor(Math.random() * 10_000)
    const ports = Array.from({ length: count }, (_, index) => first + index)
    const areFree = await Promise.all(ports.map(isFree))
    if (areFree.every(Boolean)) return first
  }
}

async function isFree(port) {
  const server = createServer()
  const isOpen = await new Promise((resolve) => {
    server.on('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true))
  })
  if (isOpen) await new Promise((resolve) => server.close(resolve))
  return isOpen
}
