import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { aFile } from '../helpers/backup.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { aSmallS3 } from '../helpers/small-s3.js'

/** What programs and servers give credentials in. */
const given = {
  AccessKeyId: 'GIVEN',
  SecretAccessKey: 'secret',
  Token: 'passing',
  Expiration: new Date(Date.now() + 3_600_000).toISOString(),
}

/** Lists a store with nothing but these. @returns what the store was shown. */
async function shownTo(env: Record<string, string>) {
  const { port, asked } = await aSmallS3()
  const ended = await runPgbk(['list', '--from', 's3://box/pg'], {
    env: { AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`, AWS_EC2_METADATA_DISABLED: 'true', ...env },
    alone: true,
  })
  const { authorization = '', 'x-amz-security-token': token } = asked[0]?.headers ?? {}
  return { ...ended, key: /Credential=([^/]+)/.exec(authorization)?.[1], token }
}

async function aHomeWith(config: string): Promise<string> {
  const home = aDirectory()
  mkdirSync(join(home, '.aws'), { mode: 0o755 })
  await aFile(join(home, '.aws/config'), config)
  return home
}

describe('credentials for S3 come', () => {
  it('from the program that a profile names', async () => {
    const { Token: SessionToken, ...others } = given
    const said = JSON.stringify({ Version: 1, SessionToken, ...others })
    const HOME = await aHomeWith(`[profile backup]\ncredential_process = echo '${said}'\n`)
    expect(await shownTo({ HOME, AWS_PROFILE: 'backup' })).toMatchObject({
      status: 0,
      key: 'GIVEN',
      token: 'passing',
    })
  })

  it('from the container that pgbk runs in', async () => {
    const server = createServer((_asked, answer) => answer.end(JSON.stringify(given)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    atEnd(() => void server.close())
    const { port } = server.address() as AddressInfo
    const url = `http://127.0.0.1:${port}/credentials`
    const env = { HOME: aDirectory(), AWS_CONTAINER_CREDENTIALS_FULL_URI: url }
    expect(await shownTo(env)).toMatchObject({ status: 0, key: 'GIVEN', token: 'passing' })
  })

  it('from the profile that is named, where there are others in the environment', async () => {
    const keys = 'aws_access_key_id = GIVEN\naws_secret_access_key = secret\n'
    const HOME = await aHomeWith(`[profile backup]\n${keys}`)
    const env = { HOME, AWS_PROFILE: 'backup', AWS_ACCESS_KEY_ID: 'OTHER', AWS_SECRET_ACCESS_KEY: 'other' }
    const { status, stderr, key } = await shownTo(env)
    expect({ status, stderr, key }).toEqual({ status: 0, stderr: '', key: 'GIVEN' })
  })
})
