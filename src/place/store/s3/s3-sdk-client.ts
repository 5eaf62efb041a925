import type { Readable } from 'node:stream'
import type { S3Client } from '@aws-sdk/client-s3'
import type { Environment } from '../../../context.js'
import { boundedAnswer } from './s3-bounds.js'

type Sdk = typeof import('./s3-sdk.js')

/** How a client differs from others of the same store. */
interface ClientOptions {
  region: string
  endpoint: string | undefined
  forcePathStyle: boolean
  agents: { httpAgent: object; httpsAgent: object }
  /** How long a connection may stand still. */
  socketTimeout: number
  /** By how many ms the store's clock is ahead of the one here. */
  systemClockOffset: number
  /** Those of another client. */
  credentials?: S3Client['config']['credentials']
}

/** How often something is asked, with growing pauses in between, up to 20 s. */
const maxAttempts = 8
const connectionTimeout = 10_000

/** A client of Amazon's library, with the credentials that are there now where it is given none. It writes nothing to the terminal. */
export function newClient(sdk: Sdk, env: Environment, options: ClientOptions): S3Client {
  const { agents, socketTimeout, endpoint, ...others } = options
  const client = new sdk.S3Client({
    ...others,
    ...(endpoint !== undefined && { endpoint }),
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts,
    requestHandler: { ...agents, connectionTimeout, socketTimeout, logger: silent },
    logger: silent,
    ...(env.AWS_PROFILE && { profile: env.AWS_PROFILE }),
    ...(options.credentials ? {} : staticCredentials(env)),
  })
  boundAnswers(client)
  return client
}

/** All that it reads whole: what is not the content of an object. */
function boundAnswers({ middlewareStack }: S3Client): void {
  middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        const result = await next(args)
        const response = result.response as { statusCode: number; body: Readable }
        if (commandName !== 'GetObjectCommand' || response.statusCode >= 300)
          response.body = boundedAnswer(response.body)
        return result
      },
    { step: 'deserialize', priority: 'low' },
  )
}

const say = () => {}
/** Where it has none, the library writes to the terminal. */
const silent = { trace: say, debug: say, info: say, warn: say, error: say }

/** What the environment says comes before files, unless it names a profile. */
function staticCredentials(env: Environment) {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env
  if (!accessKeyId || !secretAccessKey || env.AWS_PROFILE) return {}
  const token = env.AWS_SESSION_TOKEN ? { sessionToken: env.AWS_SESSION_TOKEN } : {}
  return { credentials: { accessKeyId, secretAccessKey, ...token } }
}
