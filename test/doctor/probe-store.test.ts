import { beforeAll, expect } from '@jest/globals'
import { probeStore } from '../../src/doctor/probe-store.js'
import { s3Store } from '../../src/place/store/s3/s3-store.js'
import { aContext } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { anS3Server, letOnlyWrite, type S3Server } from '../helpers/s3.js'

const { describe, it } = needs('an S3 server')

let server: S3Server
beforeAll(async () => {
  server = await anS3Server()
})

async function probed(denied?: string[]) {
  const bucket = await server.aBucket()
  await letOnlyWrite(server, bucket, denied)
  const context = aContext({ env: server.env, now: () => new Date() })
  const store = await s3Store({ bucket, prefix: '' }, {}, context)
  atEnd(() => store.close())
  const checks = await probeStore({ store, name: 'offsite' }, context)
  return {
    bucket,
    checks: checks.map(({ name, status, text }) => [name.replace('offsite: ', ''), status, text]),
  }
}

describe('a store that is tried with credentials that may not do everything', () => {
  it('takes what those that may only write can send, which is enough for uploads', async () => {
    const { bucket, checks } = await probed()
    expect(checks).toEqual([
      ['list', 'ok', expect.stringContaining('may not list')],
      ['write', 'ok', expect.stringContaining('may only write')],
      ['ranges', 'skipped', expect.stringContaining('may not read')],
      ['condition', 'ok', expect.any(String)],
      ['parts', 'ok', expect.stringMatching(/takes objects in parts: .*\/s there; .* may not read/)],
      ['abort', 'skipped', expect.any(String)],
      ['remove', 'warning', expect.stringContaining('stay')],
    ])
    const { status, stdout } = await runPgbk(['doctor', '--store', `s3://${bucket}`, '-C', aDirectory()], {
      env: server.env,
    })
    expect([status, stdout]).toEqual([0, expect.stringContaining('would work')])
  })

  it('is tried to the end with those that may do all but list', async () => {
    const { checks } = await probed(['ListBucket'])
    expect(checks.map(([name, status]) => `${name} ${status}`)).toEqual([
      'list ok',
      'write ok',
      'ranges ok',
      'condition ok',
      'parts ok',
      'abort skipped',
      'remove ok',
    ])
  })
})
