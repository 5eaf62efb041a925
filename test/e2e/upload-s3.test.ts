import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  DeleteBucketPolicyCommand,
  ListObjectsV2Command,
  PutObjectRetentionCommand,
} from '@aws-sdk/client-s3'
import { beforeAll, expect, it } from '@jest/globals'
import { aBackupOf, aFile, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf } from '../helpers/chance.js'
import { needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { anS3Server, letOnlyWrite, type S3Server } from '../helpers/s3.js'
import { aServer, fill } from '../helpers/server.js'

const needed = [
  'user namespaces',
  '/dev/fuse',
  'program mksquashfs',
  'program squashfuse',
  'an S3 server',
] as const

needs(...needed).describe('upload to a real S3 server', () => {
  let s3: S3Server
  let backup: MadeBackup
  let key: string
  let recipient: string
  beforeAll(async () => {
    s3 = await anS3Server()
    const server = await aServer({ major: anyMajor })
    await fill(server)
    backup = await aBackupOf(server)
    key = join(aDirectory(), 'key.txt')
    await run(['age-keygen', '-o', key])
    recipient = /public key: (\S+)/.exec(readFileSync(key, 'utf8'))?.[1] ?? ''
  }, 120_000)
  const env = () => ({ ...s3.env, PGBK_CONFIG: join(backup.root, '.pgbkrc.json') })
  const pgbk = (...args: string[]) => runPgbk(args, { cwd: backup.root, env: env() })
  const configure = async (further: object = {}, options = {}) => {
    const url = `s3://${await s3.aBucket(options)}/pg`
    await aFile(
      join(backup.root, '.pgbkrc.json'),
      JSON.stringify({
        root: backup.root,
        stores: { far: { url, path_style: true, part_size: '5MB', ...further } },
      }),
    )
    return url
  }
  const keysIn = async (url: string) => {
    const bucket = url.split('/')[2] ?? ''
    const { Contents = [] } = await s3.client.send(new ListObjectsV2Command({ Bucket: bucket }))
    return Contents.map(({ Key = '' }) => Key)
  }
  const listed = async () => JSON.parse((await pgbk('list', '--from', 'far', '--json')).stdout).backups

  it('sends an encrypted backup, which comes back by download with its key alone', async () => {
    const url = await configure({ recipients: [recipient] })
    const { status, stdout, stderr } = await pgbk('upload', '--json')
    expect({ status, stderr }).toMatchObject({ status: 0 })
    expect(JSON.parse(stdout).uploads).toMatchObject([{ encrypted: true, error: null }])
    const { id } = backup.record
    const names = (await keysIn(url)).map((one) => one.replace(`pg/data/backup/${id}/`, ''))
    expect(names.filter((name) => !name.startsWith('wal/')).sort()).toEqual([
      'README',
      'README.age',
      'backup.json',
      'backup.json.age',
      'snapshot.squashfs.age',
    ])
    expect(names.every((name) => !name.startsWith('wal/') || name.endsWith('.age'))).toBe(true)
    expect(await listed()).toMatchObject([{ id, form: 'encrypted' }])
    const elsewhere = aDirectory()
    const download = ['download', 'latest', '--from', url, '--to', elsewhere, '--identity', key]
    const downloaded = await runPgbk(download, { env: s3.env })
    expect(downloaded).toMatchObject({ status: 0 })
    expect((await runPgbk(['verify', '-C', elsewhere])).status).toBe(0)
  })

  it('lists nothing that is half there after kills at any moment, and goes on with the same bytes', async () => {
    await configure({ recipients: [recipient] })
    for (const wait of randomNumbers(roundsOf(2), 5000, 'kill of upload to S3')) {
      const child = startPgbk(['upload'], { cwd: backup.root, env: env() })
      await sleep(wait)
      child.kill('SIGKILL')
      await child
      if ((await listed()).length > 0) break
    }
    expect((await pgbk('upload')).status).toBe(0)
    const elsewhere = aDirectory()
    expect(
      (await pgbk('download', 'latest', '--from', 'far', '--to', elsewhere, '--identity', key)).status,
    ).toBe(0)
    expect((await runPgbk(['verify', '-C', elsewhere])).status).toBe(0)
  }, 180_000)

  it('names what Object Lock keeps, with its date, and that is no error', async () => {
    const url = await configure({ retention: { daily: 1 } }, { lock: true })
    await pgbk('upload')
    const record = (await keysIn(url)).find((one) => one.endsWith('/backup.json'))
    const until = new Date(Date.now() + 3_600_000)
    await s3.client.send(
      new PutObjectRetentionCommand({
        Bucket: url.split('/')[2],
        Key: record,
        Retention: { Mode: 'GOVERNANCE', RetainUntilDate: until },
      }),
    )
    const { status, stdout } = await pgbk('delete', backup.record.id, '--from', 'far', '--last', '--json')
    expect({ status, ...JSON.parse(stdout) }).toMatchObject({
      status: 0,
      deleted: [],
      locked: [{ key: expect.stringContaining('backup.json'), until: expect.stringMatching(/^20\d\d-/) }],
    })
    expect(await listed()).toHaveLength(1)
  })

  it('needs no credentials that may read, list or remove; what it has sent it knows by itself', async () => {
    const url = await configure({ recipients: [recipient] })
    const bucket = url.split('/')[2] ?? ''
    await letOnlyWrite(s3, bucket, ['GetObject', 'ListBucket', 'DeleteObject', 'AbortMultipartUpload'])
    await run(['rm', '-f', join(backup.root, 'data/backup/.uploads.json')])
    const first = await pgbk('upload', '--json')
    expect(first).toMatchObject({ status: 0 })
    const again = JSON.parse((await pgbk('upload', '--json')).stdout)
    expect(again.uploads).toMatchObject([{ already_there: true, error: null }])
    const later = '0000000900000000000000FF'
    const file = join(backup.directory, 'wal', later)
    await aFile(file, 'x'.repeat(backup.record.wal_segment_size))
    const walSent = async () => JSON.parse((await pgbk('upload', '--json')).stdout).uploads[0].sent_wal_files
    expect([await walSent(), await walSent()]).toEqual([1, 0])
    rmSync(file)
    await s3.client.send(new DeleteBucketPolicyCommand({ Bucket: bucket }))
    const names = await keysIn(url)
    expect(names.filter((name) => name.includes(later))).toEqual([expect.stringMatching(/\.gz\.age$/)])
    const elsewhere = aDirectory()
    const download = ['download', 'latest', '--from', 'far', '--to', elsewhere, '--identity', key]
    expect((await pgbk(...download)).status).toBe(0)
    rmSync(join(elsewhere, 'data/backup', backup.record.id, 'wal', `${later}.gz`))
    expect((await runPgbk(['verify', '-C', elsewhere])).status).toBe(0)
  })

  it('says what is wrong with a bucket that is not there, and with credentials', async () => {
    await aFile(
      join(backup.root, '.pgbkrc.json'),
      JSON.stringify({
        root: backup.root,
        stores: { far: { url: 's3://no-such-bucket', path_style: true } },
      }),
    )
    expect(await pgbk('upload')).toMatchObject({ stderr: expect.stringContaining('no-such-bucket') })
    const wrong = { ...env(), AWS_SECRET_ACCESS_KEY: 'wrong' }
    const { status, stderr } = await runPgbk(['upload'], { cwd: backup.root, env: wrong })
    expect(status).not.toBe(0)
    expect(stderr).not.toContain('unexpected error')
  })
})
