import type { Environment } from '../../../context.js'
import { messageOf, PgbkError } from '../../../errors.js'
import { isWebUrl } from '../../../text/web-url.js'
import type { S3Settings } from './s3-settings.js'

type Sdk = typeof import('./s3-sdk.js')

/** Where the store is reached, or undefined for Amazon's own: as it is configured, else as every S3 tool finds it. @throws {PgbkError} `config`. */
export async function endpointOf(
  { endpoint }: S3Settings,
  env: Environment,
  sdk: Sdk,
): Promise<string | undefined> {
  if (endpoint !== undefined) return endpoint
  for (const name of ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL']) {
    const found = env[name]
    if (found) return checked(found, name)
  }
  const shared = await sharedEndpoint(sdk)
  return shared && checked(shared, 'endpoint_url of the AWS configuration file')
}

async function sharedEndpoint(sdk: Sdk): Promise<string | undefined> {
  try {
    return await new sdk.S3Client({}).config.serviceConfiguredEndpoint?.()
  } catch (cause) {
    throw new PgbkError('config', `cannot read the AWS configuration file: ${messageOf(cause)}`, { cause })
  }
}

function checked(endpoint: string, name: string): string {
  if (isWebUrl(endpoint)) return endpoint
  // There may be a password before the @.
  const shown = endpoint.includes('@') ? '' : `: ${endpoint.slice(0, 200)}`
  throw new PgbkError('config', `${name} is not the URL of a store${shown}`, {
    hint: 'It must be a URL like https://s3.example.com.',
  })
}

export function isForeign(endpoint: string | undefined): boolean {
  return endpoint !== undefined && !/\.amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname)
}
