import type { S3Client } from '@aws-sdk/client-s3'
import type { Context } from '../../../context.js'
import type { PgbkError } from '../../../errors.js'
import { goneFrom } from '../gone.js'
import { agentsFor } from './s3-agents.js'
import { endpointOf, isForeign } from './s3-endpoint.js'
import { isExpired, s3Error } from './s3-errors.js'
import type { S3Bucket, S3Settings } from './s3-settings.js'

type Sdk = typeof import('./s3-sdk.js')

/** A bucket that can be asked. */
export interface S3Connection extends S3Bucket {
  readonly sdk: Sdk
  readonly signal: AbortSignal
  /** Whether TLS guards what is sent, so that its bytes need not be signed, too. */
  readonly hasTls: boolean
  /** How long a connection may stand still. */
  readonly stallMs: number
  /**
   * Asks the store, again where that may help: after a failure that passes, with the clock of the store, in the bucket's region, and
   * with new credentials where those have expired.
   * @throws what the client throws.
   */
  ask<O>(question: (client: S3Client, options: { abortSignal: AbortSignal }) => Promise<O>): Promise<O>
  /** The same, explained. @param what is tried: `read KEY`. @throws {PgbkError} */
  need<O>(
    what: string,
    question: (client: S3Client, options: { abortSignal: AbortSignal }) => Promise<O>,
  ): Promise<O>
  /** @param what was tried. */
  explain(error: unknown, what: string): unknown
  /** For what is not there. */
  gone(key: string): PgbkError
  close(): void
}

/** How often something is asked, with growing pauses in between, up to 20 s. */
const attempts = 8
const connectionTimeout = 10_000
/** A connection on which nothing comes or goes for so long is given up. */
const stalledTicks = 60

export async function connectS3(
  { bucket, prefix }: S3Bucket,
  settings: S3Settings,
  context: Context,
): Promise<S3Connection> {
  const sdk = await import('./s3-sdk.js')
  const { env, signal } = context
  const stallMs = stalledTicks * context.tickMs
  const endpoint = await endpointOf(settings, env, sdk)
  const region = settings.region ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || (await ownRegion(sdk)))
  const url = endpoint ?? `https://s3.${region}.amazonaws.com`
  const agents = agentsFor(url, env, sdk.HttpsProxyAgent)
  const connect = () =>
    new sdk.S3Client({
      region,
      ...(endpoint !== undefined && { endpoint }),
      forcePathStyle: settings.path_style ?? isForeign(endpoint),
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      followRegionRedirects: true,
      maxAttempts: attempts,
      requestHandler: { ...agents, connectionTimeout, socketTimeout: stallMs },
      ...(env.AWS_PROFILE && { profile: env.AWS_PROFILE }),
      ...staticCredentials(env),
    })
  let client = connect()
  const secrets = [env.AWS_ACCESS_KEY_ID, env.AWS_SECRET_ACCESS_KEY, env.AWS_SESSION_TOKEN]
  const explain = (error: unknown, what: string) => {
    signal.throwIfAborted()
    return s3Error(error, `${what} in s3://${bucket}`, secrets)
  }
  const connection: S3Connection = {
    bucket,
    prefix,
    sdk,
    signal,
    hasTls: new URL(url).protocol === 'https:',
    stallMs,
    explain,
    gone: (key) => goneFrom(`s3://${bucket}`, prefix + key),
    async ask(question) {
      const options = { abortSignal: signal }
      try {
        return await question(client, options)
      } catch (error) {
        if (!isExpired(error)) throw error
        client = connect() // which looks for credentials anew
        return question(client, options)
      }
    },
    async need(what, question) {
      signal.throwIfAborted()
      return connection.ask(question).catch((error) => Promise.reject(explain(error, what)))
    },
    close() {
      client.destroy()
      agents.httpAgent.destroy()
      agents.httpsAgent.destroy()
    },
  }
  return connection
}

/** That of the profile; where there is none, the one to which Amazon sends everybody first, and others do not look at. */
async function ownRegion(sdk: Sdk): Promise<string> {
  try {
    return await new sdk.S3Client({}).config.region()
  } catch {
    return 'us-east-1'
  }
}

/** What the environment says comes before files, unless it names a profile. */
function staticCredentials(env: Context['env']) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  if (!accessKeyId || !secretAccessKey || env.AWS_PROFILE) return {}
  const token = env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}
  return { credentials: { accessKeyId, secretAccessKey, ...token } }
}
