// What the SDK alone takes to send a file: node bare-upload.js FILE BUCKET KEY, in parts of 16 MB, four at once.
import { open } from 'node:fs/promises'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'

const [file, Bucket, Key] = process.argv.slice(2)
const partBytes = 16 << 20
const atOnce = 4

const client = new S3Client({ forcePathStyle: true, requestChecksumCalculation: 'WHEN_REQUIRED' })
const source = await open(file)
const { size } = await source.stat()
const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }))
const Parts = []
let next = 0
async function worker() {
  const room = Buffer.allocUnsafe(partBytes)
  while (next * partBytes < size) {
    const number = next++
    const { bytesRead } = await source.read(room, 0, partBytes, number * partBytes)
    const part = { Bucket, Key, UploadId, PartNumber: number + 1, Body: room.subarray(0, bytesRead) }
    const { ETag } = await client.send(new UploadPartCommand(part))
    Parts[number] = { ETag, PartNumber: number + 1 }
  }
}
await Promise.all(Array.from({ length: atOnce }, worker))
await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }))
await source.close()
client.destroy()
