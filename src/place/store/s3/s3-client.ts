import { setMaxListeners } from 'node:events'
import type { S3Client } from '@aws-sdk/client-s3'
import type { Context } from '../../../context.js'
import type { PgbkError } from '../../../errors.js'
import { goneFrom } from '../gone.js'
import { askAgain, type Clients } from './s3-again.js'
import { agentsFor } from './s3-agents.js'
import { endpointOf, isForeign } from './s3-endpoint.js'
import { s3Error } from './s3-errors.js'
import { newClient } from './s3-sdk-client.js'
import type { S3Bucket, S3Settings } from './s3-settings.js'

type Sdk = typeof import('./s3-sdk.js')

type Question<O> = (client: S3Client, options: { abortSignal: AbortSignal }) => Promise<O>
type Ask = <O>(question: Question<O>) => Promise<O>

/** A bucket that can be asked. */
export interface S3Connection extends S3Bucket {
  readonly sdk: Sdk
  readonly signal: AbortSignal
  /** Whether TLS guards what is sent, so that its bytes need not be signed, too. */
  readonly hasTls: boolean
  /** How long a connection may stand still. */
  readonly stallMs: number
  /**
   * Asks the store, again where that may help: after a failure that passes, with the clock of the store, in the bucket's region, which
   * is known from then on, and with new credentials where those have expired.
   * @throws what the client throws.
   */
  ask: Ask
  /** The same, for what a store may need minutes for. */
  askPatiently: Ask
  /** The same, explained. @param what is tried: `read KEY`. @throws {PgbkError} */
  need<O>(what: string, question: Question<O>): Promise<O>
  /** @param what was tried. */
  explain(error: unknown, what: string): unknown
  /** For what is not there. */
  gone(key: string): PgbkError
  close(): void
}

/** A connection on which nothing comes or goes for so long is given up. */
const stalledTicks = 60
/** "Processing of a Complete Multipart Upload request could take several minutes" (S3 API, CompleteMultipartUpload). */
const patientTicks = 600

export async function connectS3(
  { bucket, prefix }: S3Bucket,
  settings: S3Settings,
  context: Context,
): Promise<S3Connection> {
  const sdk = await import('./s3-sdk.js')
  const { env, signal } = context
  // Each request listens to it, and there are more than ten at once.
  setMaxListeners(0, signal)
  const stallMs = stalledTicks * context.tickMs
  const endpoint = await endpointOf(settings, env, sdk)
  const firstRegion = settings.region ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || (await ownRegion(sdk)))
  const url = endpoint ?? `https://s3.${firstRegion}.amazonaws.com`
  const agents = agentsFor(url, env, sdk.HttpsProxyAgent)
  const forcePathStyle = settings.path_style ?? isForeign(endpoint)
  const clientIn = (region: string, systemClockOffset: number) => {
    const options = { region, endpoint, forcePathStyle, agents, systemClockOffset }
    const client = newClient(sdk, env, { ...options, socketTimeout: stallMs })
    const socketTimeout = patientTicks * context.tickMs
    const patient = newClient(sdk, env, { ...options, socketTimeout, credentials: client.config.credentials })
    return { region, client, patient }
  }
  let current = clientIn(firstRegion, 0)
  const clients: Clients<typeof current> = {
    current: () => current,
    replace(asked, remedy) {
      if (asked !== current || remedy.what === 'clock') return
      const region = remedy.what === 'region' ? remedy.region : asked.region
      current = clientIn(region, asked.client.config.systemClockOffset)
    },
  }
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
    ask: (question) => askAgain(clients, ({ client }) => question(client, { abortSignal: signal })),
    askPatiently: (question) =>
      askAgain(clients, ({ patient }) => question(patient, { abortSignal: signal })),
    async need(what, question) {
      signal.throwIfAborted()
      return connection.ask(question).catch((error) => Promise.reject(explain(error, what)))
    },
    close() {
      current.client.destroy()
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
