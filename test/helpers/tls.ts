import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { aDirectory } from './places.js'
import { run } from './programs.js'

export interface Certificates {
  /** The certificate of the authority, for sslrootcert. */
  authority: string
  /** Settings of a server that shows a certificate for localhost by this authority. */
  settings: Record<string, string>
}

/** A new certificate authority, and a server's certificate that it has signed. */
export async function certificates(): Promise<Certificates> {
  const directory = aDirectory('pgbk-tls-')
  const openssl = (...args: string[]) => run(['openssl', ...args], { cwd: directory })
  const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '2']
  await openssl(
    'req',
    '-x509',
    ...key,
    '-subj',
    `/CN=${basename(directory)}`,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  )
  await openssl(
    'req',
    ...key.slice(0, 3),
    '-subj',
    '/CN=localhost',
    '-keyout',
    'server.key',
    '-out',
    'server.csr',
  )
  const ca = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
  await openssl('x509', '-req', '-in', 'server.csr', ...ca, '-out', 'server.crt')
  await run(['chmod', '600', join(directory, 'server.key')])
  return {
    authority: join(directory, 'ca.crt'),
    settings: {
      ssl: 'on',
      ssl_cert_file: join(directory, 'server.crt'),
      ssl_key_file: join(directory, 'server.key'),
    },
  }
}

/** A server's certificate for these names, which is its own authority, and where it lies. */
export async function aCertificateFor(names: string[]): Promise<{ key: Buffer; cert: Buffer; file: string }> {
  const directory = aDirectory('pgbk-tls-')
  const [key, file] = ['server.key', 'server.crt'].map((name) => join(directory, name)) as [string, string]
  const alternatives = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test']
  await run(['openssl', ...request, '-addext', alternatives, '-keyout', key, '-out', file])
  return { key: readFileSync(key), cert: readFileSync(file), file }
}
