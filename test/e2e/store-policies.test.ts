import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  PutBucketPolicyCommand,
  PutObjectAclCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3'
import { beforeAll, expect } from '@jest/globals'
import { s3Store } from '../../src/place/store/s3/s3-store.js'
import { aContext } from '../catalog/samples.js'
import { aBackupOf, aFile, type MadeBackup } from '../helpers/backup.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { anS3Server, anS3User, type S3Server, s3ServerOf } from '../helpers/s3.js'
import { aServer } from '../helpers/server.js'

const { describe, it } = needs('an S3 server', 'program jq', 'program mksquashfs', 'program squashfuse')

const page = readFileSync(new URL('../../docs/stores.md', import.meta.url), 'utf8')
const users = ['pgbk-upload', 'pgbk-prune', 'pgbk-read'] as const
type Env = Record<string, string>

let s3: S3Server
let envs: Record<(typeof users)[number], Env>
let backup: MadeBackup
let url: string
let bucket: string
beforeAll(async () => {
  s3 = await anS3Server()
  const [upload, prune, read] = await Promise.all(users.map((name) => anS3User(s3, name)))
  envs = { 'pgbk-upload': upload ?? {}, 'pgbk-prune': prune ?? {}, 'pgbk-read': read ?? {} }
  backup = await aBackupOf(await aServer({ major: anyMajor }), {
    args: ['--packed'],
  })
  bucket = await s3.aBucket({ lock: true })
  url = `s3://${bucket}/db1`
  await s3.client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy: await policyOf(bucket) }))
  const stores = { offsite: { url, part_size: '5MB', upload: 'always' } }
  await aFile(join(backup.root, '.pgbkrc.json'), JSON.stringify({ root: backup.root, stores }))
})

/** What the page's jq makes of the page's three policies. */
async function policyOf(name: string): Promise<string> {
  const directory = aDirectory()
  const ofPage = /`(\w+\.json)`.*?```json\n(.*?)```/gs
  for (const [, file = '', policy = ''] of page.matchAll(ofPage)) await aFile(join(directory, file), policy)
  const [, program = ''] = /(jq -n --slurpfile .*? >policy\.json)\n/s.exec(page) ?? []
  await run(['sh', '-c', `cd ${directory} && ${program}`])
  return readFileSync(join(directory, 'policy.json'), 'utf8').replaceAll('backups-of-acme', name)
}

const as = (user: (typeof users)[number], ...args: string[]) =>
  runPgbk(args, { cwd: backup.root, env: { ...envs[user], PGBK_CONFIG: join(backup.root, '.pgbkrc.json') } })
const clientOf = (user: (typeof users)[number]) => s3ServerOf(envs[user] as never).client
const versions = async () => {
  const { Versions = [] } = await s3.client.send(new ListObjectVersionsCommand({ Bucket: bucket }))
  return Versions.map(({ Key, VersionId }) => ({ Bucket: bucket, Key, VersionId }))
}
const denied = { $metadata: expect.objectContaining({ httpStatusCode: 403 }) }

describe('the policies of docs/stores.md', () => {
  it('let the server upload, and do nothing else', async () => {
    const { status, stdout } = await as('pgbk-upload', 'upload', '--all', '--json')
    expect({ status, ...JSON.parse(stdout) }).toMatchObject({ status: 0, uploads: [{ error: null }] })
    const refused = await as('pgbk-upload', 'list', '--from', 'offsite')
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('access denied') })
    const client = clientOf('pgbk-upload')
    const [{ Key, VersionId } = {}] = await versions()
    const object = { Bucket: bucket, Key }
    await expect(client.send(new GetObjectCommand(object))).rejects.toMatchObject(denied)
    await expect(client.send(new DeleteObjectCommand(object))).rejects.toMatchObject(denied)
    const version = { ...object, VersionId }
    await expect(client.send(new DeleteObjectCommand(version))).rejects.toMatchObject(denied)
    const open = { ...object, ACL: 'public-read' as const }
    await expect(client.send(new PutObjectAclCommand(open))).rejects.toMatchObject(denied)
  })

  it('let an interrupted upload go on with its parts', async () => {
    const settings = { part_size: 5 << 20 }
    const context = aContext({ env: envs['pgbk-upload'] })
    const store = await s3Store({ bucket, prefix: 'db1/' }, settings, context)
    atEnd(() => store.close())
    const bytes = 12 << 20
    const upTo = (end: number) => ({
      bytes,
      async *read(from: number, length: number) {
        if (from >= end) throw new Error('interrupted')
        yield Buffer.alloc(length, 7)
      },
    })
    await expect(store.send('large', upTo(6 << 20), () => {})).rejects.toThrow('interrupted')
    await store.send('large', upTo(bytes), () => {})
    const { Uploads = [] } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: bucket }))
    expect(Uploads).toEqual([])
  })

  it('let others read, and change nothing', async () => {
    const { id } = backup.record
    const listed = JSON.parse((await as('pgbk-read', 'list', '--from', 'offsite', '--json')).stdout)
    expect(listed.backups).toMatchObject([{ id }])
    expect(await as('pgbk-read', 'verify', '--from', 'offsite', '--all', '--read')).toMatchObject({
      status: 0,
    })
    const before = await versions()
    for (const words of [
      ['delete', id, '--last'],
      ['hold', id],
    ])
      expect(await as('pgbk-read', ...words, '--from', 'offsite')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('access denied'),
      })
    expect(await versions()).toEqual(before)
  })

  it('let who prunes remove what is not locked, and no version of it', async () => {
    const { id } = backup.record
    expect(await as('pgbk-prune', 'doctor', '--store', 'offsite')).toMatchObject({ status: 0 })
    const before = await versions()
    const gone = await as('pgbk-prune', 'delete', id, '--from', 'offsite', '--last', '--json')
    expect(JSON.parse(gone.stdout)).toMatchObject({ deleted: [{ id }], locked: [] })
    expect(await versions()).toEqual(expect.arrayContaining(before))
    const client = clientOf('pgbk-prune')
    const [version] = before
    await expect(client.send(new DeleteObjectCommand(version as never))).rejects.toMatchObject(denied)
    const Rule = { DefaultRetention: { Mode: 'COMPLIANCE' as const, Days: 1 } }
    await s3.client.send(
      new PutObjectLockConfigurationCommand({
        Bucket: bucket,
        ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule },
      }),
    )
    await as('pgbk-prune', 'upload', '--all')
    const kept = await as('pgbk-prune', 'delete', id, '--from', 'offsite', '--last', '--json')
    expect(JSON.parse(kept.stdout)).toMatchObject({
      deleted: [],
      locked: [{ until: expect.stringMatching(/^20/) }],
    })
  })
})
