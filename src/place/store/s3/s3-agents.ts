import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import type { Environment } from '../../../context.js'
import { messageOf, PgbkError, systemReason } from '../../../errors.js'
import { mostBytes, readSmallText } from '../../../system/files/read-small.js'

type ProxyAgent = typeof import('./s3-sdk.js').HttpsProxyAgent

const options = { keepAlive: true, maxSockets: 64 }

/**
 * How connections are made: through the proxy of the environment, and trusting AWS_CA_BUNDLE beside the usual authorities
 * (NODE_EXTRA_CA_CERTS is Node's own affair).
 * @throws {PgbkError} `config`.
 */
export function agentsFor(endpoint: string, env: Environment, Tunnel: ProxyAgent) {
  const bundle = env.AWS_CA_BUNDLE || undefined
  const trusted = bundle === undefined ? {} : { secureContext: trusting(bundle) }
  const proxy = proxyFor(endpoint, env)
  if (proxy === undefined)
    return { httpAgent: new HttpAgent(options), httpsAgent: new HttpsAgent({ ...options, ...trusted }) }
  // The first is for the connection to the proxy, the second for the one through it.
  const agent = new Tunnel(proxy, { ...options, ...trusted })
  Object.assign(agent.options, trusted)
  return { httpAgent: agent, httpsAgent: agent }
}

/** Made once: all of them would be read again for each connection. @throws {PgbkError} `config`. */
function trusting(bundle: string): SecureContext {
  const ca = [...rootCertificates, certificatesIn(bundle)]
  try {
    return createSecureContext({ ca })
  } catch (cause) {
    throw unusable(bundle, messageOf(cause), cause)
  }
}

function certificatesIn(file: string): string {
  try {
    return readSmallText(file, mostBytes.conf)
  } catch (cause) {
    throw unusable(file, systemReason(cause), cause)
  }
}

function unusable(bundle: string, reason: string, cause: unknown): PgbkError {
  return new PgbkError('config', `cannot read AWS_CA_BUNDLE, ${bundle}: ${reason}`, { cause })
}

/**
 * The proxy that HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY name for a URL, as curl understands them.
 * @throws {PgbkError} `config` for one that is no URL.
 */
export function proxyFor(url: string, env: Environment): URL | undefined {
  const { protocol, hostname, port } = new URL(url)
  const named = (name: string) => env[name] || env[name.toUpperCase()] || undefined
  const proxy = named(protocol === 'https:' ? 'https_proxy' : 'http_proxy') ?? named('all_proxy')
  if (proxy === undefined || isExcepted(hostname, portOf(protocol, port), named('no_proxy'))) return undefined
  const full = /^[a-z0-9+.-]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`
  if (/^https?:\/\//i.test(full) && URL.canParse(full)) return new URL(full)
  // Not its text: there may be a password in it.
  throw new PgbkError('config', 'the proxy that the environment names is not the URL of an HTTP proxy', {
    hint: 'Set HTTPS_PROXY to http://HOST:PORT.',
  })
}

function portOf(protocol: string, port: string): string {
  return port || (protocol === 'https:' ? '443' : '80')
}

function isExcepted(hostname: string, port: string, list = ''): boolean {
  const host = hostname.toLowerCase().replace(/^\[|\]$/g, '')
  return list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .some((entry) => {
      if (entry === '*') return true
      const [, name = '', , only] = /^\[?(.*?)\]?(:(\d+))?$/.exec(entry.replace(/^\*?\./, '')) ?? []
      return (only === undefined || only === port) && (host === name || host.endsWith(`.${name}`))
    })
}
