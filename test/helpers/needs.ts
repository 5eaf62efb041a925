import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from '@jest/globals'
import { execaSync } from 'execa'
import { asUser, isRoot, ordinaryUser } from './users.js'

type Title = string
type Each = (table: readonly unknown[]) => (title: Title, body: never, timeout?: number) => void
interface Definer {
  (title: Title, body: never, timeout?: number): void
  each: Each
}

/** What of a machine some tests cannot do without. */
export type Need =
  | 'root'
  | 'mounts'
  | 'loop devices'
  | 'user namespaces'
  | '/dev/fuse'
  | 'an ordinary user'
  | 'faketime'
  | 'an S3 server'
  | 'a second S3 server'
  | `PostgreSQL ${string}`
  | `program ${string}`

/**
 * `describe` and `it` for tests that need something which not every machine has. Where it is missing they are left out, and the run
 * says at its end which they were and why (test/tools/left-out.js); in CI that is a failure.
 */
export function needs(...wanted: Need[]): { describe: typeof describe; it: typeof it } {
  const [lack] = wanted.map((need) => ({ need, reason: reasonWithout(need) })).filter(({ reason }) => reason)
  if (lack === undefined) return { describe, it }
  const mark = `[needs ${lack.need}: ${lack.reason?.replaceAll(/[%[\]$\n]/g, ' ')}]`
  if (process.env.CI) it(mark, () => Promise.reject(new Error('in CI nothing is left out')))
  return {
    describe: leftOut(describe.skip as Definer, mark) as typeof describe,
    it: leftOut(it.skip as Definer, mark) as typeof it,
  }
}

function leftOut(skip: Definer, mark: string): unknown {
  const define = (title: Title, body: never, timeout?: number) => skip(`${mark} ${title}`, body, timeout)
  const each: Each = (table) => {
    const defineEach = skip.each(table)
    return (title, body, timeout) => defineEach(`${mark} ${title}`, body, timeout)
  }
  return Object.assign(define, { each })
}

/** A test that needs root, because it becomes somebody else, or gives files away. */
export function ifRoot(title: string, body: () => Promise<void>): void {
  needs('root').it(title, body)
}

/** A test that mounts something. */
export function ifMounts(title: string, body: () => Promise<void>): void {
  needs('root', 'mounts').it(title, body)
}

/** Groups of tests, once as an ordinary user and once as root; `%s` in the title stands for them. */
export function eachUser(title: string, define: (user: 'an ordinary user' | 'root') => void): void {
  for (const user of ['an ordinary user', 'root'] as const)
    needs(user).describe(title.replace('%s', user), () => define(user))
}

/** Commands that fail where it is missing. */
const trials: Partial<Record<Need, string>> = {
  mounts: 'unshare --mount mount -t tmpfs tmpfs /mnt',
  'loop devices': 'losetup --find',
  'an S3 server': 'ls /usr/local/lib/s3-server/usr/bin/radosgw',
  'a second S3 server': '/usr/bin/python3 -c "import swift, eventlet, xattr"',
  faketime: 'ls /usr/lib/*/faketime/libfaketime.so.1',
}

const answers = new Map<Need, string | undefined>()

function reasonWithout(need: Need): string | undefined {
  if (!answers.has(need)) answers.set(need, findReason(need))
  return answers.get(need)
}

function findReason(need: Need): string | undefined {
  if (need === 'root' && !isRoot) return 'started by an ordinary user'
  if (need === 'root' || need === 'an ordinary user')
    return isRoot && ordinaryUser.name !== 'postgres' ? 'there is no user postgres to become' : undefined
  const trial = trials[need]
  if (trial !== undefined) return said([], trial)
  if (need === 'user namespaces') return sandboxFault()
  if (need === '/dev/fuse') return said(asUser(), `${users} sh -c 'exec 6<>/dev/fuse'`)
  const [kind, name = ''] = need.split(/ (.*)/s)
  if (need === 'PostgreSQL programs')
    return said([], 'ls /usr/lib/postgresql/*/bin/pg_verifybackup') && 'not installed'
  if (kind === 'PostgreSQL') return 'not installed'
  const places = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin']
  return places.some((place) => existsSync(join(place, name))) ? undefined : 'not installed'
}

const users = 'unshare --user --map-current-user --keep-caps'

/** Tries what a run on an overlay in a sandbox does, as the user of the servers. */
function sandboxFault(): string | undefined {
  const overlay = 'mkdir l u w m && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr m'
  const inside = `mount -t proc proc /proc && mount -t tmpfs tmpfs /mnt && cd /mnt && ${overlay}`
  return said(asUser(), `${users} --ipc --net unshare --mount --pid --fork --kill-child sh -c '${inside}'`)
}

/** What a command of sh complains of; undefined when it succeeds. */
function said(as: string[], command: string): string | undefined {
  const [file = '', ...args] = [...as, 'sh', '-c', command]
  const { exitCode, stderr } = execaSync(file, args, { cwd: '/', reject: false, stdin: 'ignore' })
  return exitCode === 0 ? undefined : stderr.trim().split('\n')[0] || `${command} fails`
}
