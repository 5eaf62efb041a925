import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { s3Store } from '../../src/place/store/s3/s3-store.js'
import { aContext } from '../catalog/samples.js'
import { aBackupOf, aFile, type MadeBackup } from '../helpers/backup.js'
import { copyOf } from '../helpers/download.js'
import { intoStore } from '../helpers/into-store.js'
import { localRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { anyMajor, run } from '../helpers/programs.js'
import { anS3Server, type S3Server } from '../helpers/s3.js'
import { aRoot, aServer, fill } from '../helpers/server.js'

const { describe, it } = needs('an S3 server', '/dev/fuse', 'program mksquashfs', 'program squashfuse')

const { it: withAnotherClock } = needs('faketime')

let server: S3Server
let backup: MadeBackup
let url: string
beforeAll(async () => {
  server = await anS3Server()
  const database = await aServer({ major: anyMajor })
  await fill(database)
  backup = await aBackupOf(database, { args: ['--packed'] })
  const bucket = await server.aBucket()
  url = `s3://${bucket}/db1`
  const store = await s3Store({ bucket, prefix: 'db1/' }, {}, aContext({ env: server.env }))
  atEnd(() => store.close())
  await intoStore(store, backup.root, backup.directory)
})

const pgbk = async (...args: string[]) => runPgbk(args, { env: server.env })

describe('a store in S3', () => {
  it('is listed and shown as another root, with what commands it prints on it', async () => {
    const { id } = backup.record
    const { status, stdout } = await pgbk('list', '--from', url, '--json')
    expect([status, JSON.parse(stdout).backups.map((one: { id: string }) => one.id)]).toEqual([0, [id]])
    const shown = await pgbk('show', 'latest', '--from', `${url}/`)
    expect(shown.stdout).toContain(`${url}/data/backup/${id}`)
    const missing = await pgbk('show', '20010101', '--from', url)
    expect([missing.status, missing.stderr]).toEqual([3, expect.stringContaining(`list --from ${url}`)])
  })

  it('by its name in the configuration is downloaded, and answers', async () => {
    const root = await aRoot()
    const { AWS_ENDPOINT_URL: endpoint = '', AWS_REGION: region = '', ...env } = server.env
    writeFileSync(
      join(root, '.pgbkrc.yaml'),
      `stores:\n  offsite:\n    url: ${url}\n    endpoint: ${endpoint}\n    region: ${region}\n`,
    )
    const args = [
      'download',
      'latest',
      '--from',
      'offsite',
      '--config',
      join(root, '.pgbkrc.yaml'),
      '-C',
      root,
    ]
    const { status, stderr } = await runPgbk(args, { env })
    expect([status, stderr]).toEqual([0, expect.any(String)])
    const copy = copyOf(backup, root)
    expect(readdirSync(copy).sort()).toEqual(['README', 'backup.json', 'snapshot.squashfs', 'wal'])
    const image = (directory: string) => readFileSync(join(directory, 'snapshot.squashfs'))
    expect(image(copy).equals(image(backup.directory))).toBe(true)
    const query = 'select count(*) from ledger'
    const ran = await localRun(root, ['--dbname', 'app', '--', 'psql', '-XAtqc', query])
    expect([ran.status, ran.stdout.trim()]).toEqual([0, '1000'])
  })

  it('gives an archive that any tar unpacks, with the same files', async () => {
    const archive = join(aDirectory(), 'a.tar')
    const root = aDirectory()
    const { status, stderr } = await pgbk('download', 'latest', '--from', url, '--archive', archive)
    expect([status, stderr]).toEqual([0, expect.any(String)])
    await run(['tar', '-xf', archive, '-C', root])
    const { status: same } = await run(['diff', '-r', copyOf(backup, root), backup.directory])
    expect(same).toBe(0)
  })

  it('takes credentials from the files of who runs it, which AWS_PROFILE names', async () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL = '' } = server.env
    const home = aDirectory()
    mkdirSync(join(home, '.aws'), { mode: 0o755 })
    const keys = `aws_access_key_id=${AWS_ACCESS_KEY_ID}\naws_secret_access_key=${AWS_SECRET_ACCESS_KEY}\n`
    await aFile(join(home, '.aws/credentials'), `[backup]\n${keys}`)
    await aFile(join(home, '.aws/config'), '[profile backup]\nregion = us-east-1\n')
    const env = { HOME: home, AWS_PROFILE: 'backup', AWS_ENDPOINT_URL, AWS_EC2_METADATA_DISABLED: 'true' }
    const found = await runPgbk(['list', '--from', url], { env, alone: true })
    expect(found).toMatchObject({ status: 0, stdout: expect.stringContaining(backup.record.id) })
    const other = await runPgbk(['list', '--from', url], {
      env: { ...env, AWS_PROFILE: 'none' },
      alone: true,
    })
    expect(other).toMatchObject({ status: 1, stderr: expect.stringContaining('no credentials') })
  })

  it('takes its endpoint from the configuration file of who runs it, too, if that is a URL', async () => {
    const { AWS_ENDPOINT_URL: endpoint = '', ...others } = server.env
    const home = aDirectory()
    mkdirSync(join(home, '.aws'), { mode: 0o755 })
    const listed = async (value: string) => {
      await aFile(join(home, '.aws/config'), `[default]\nendpoint_url = ${value}\n`)
      return runPgbk(['list', '--from', url], { env: { ...others, HOME: home }, alone: true })
    }
    expect(await listed(endpoint)).toMatchObject({
      status: 0,
      stdout: expect.stringContaining(backup.record.id),
    })
    expect(await listed('nonsense')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('endpoint_url of the AWS configuration file is not the URL'),
    })
  })

  withAnotherClock('is reached with a clock that is an hour ahead', async () => {
    const [preload = ''] = readdirSync('/usr/lib')
      .map((name) => `/usr/lib/${name}/faketime/libfaketime.so.1`)
      .filter(existsSync)
    const env = { ...server.env, LD_PRELOAD: preload, FAKETIME: '+1h' }
    const { status, stderr } = await runPgbk(['list', '--from', url], { env, alone: true })
    expect([status, stderr]).toEqual([0, ''])
  })

  it.each([
    ['s3://no-such-bucket-here', {}, 3, /the bucket does not exist/],
    [undefined, { AWS_SECRET_ACCESS_KEY: 'wrong-secret-key' }, 1, /does not accept the credentials/],
    [
      undefined,
      { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'wrong-secret-key' },
      1,
      /does not accept|access denied/,
    ],
    [undefined, { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' }, 5, /does not answer/],
    [undefined, { AWS_ENDPOINT_URL: 'http://nosuch.invalid' }, 5, /does not answer/],
    [undefined, { AWS_ENDPOINT_URL: 'nonsense' }, 2, /AWS_ENDPOINT_URL is not the URL/],
  ])('says what is wrong: %s, %j', async (place, changes, status, message) => {
    const ended = await runPgbk(['list', '--from', place ?? url], { env: { ...server.env, ...changes } })
    expect([ended.status, ended.stderr]).toEqual([status, expect.stringMatching(message)])
    expect(ended.stdout + ended.stderr).not.toContain('wrong-secret-key')
  })
})
