import { userInfo } from 'node:os'
import { execaSync } from 'execa'

/** The ordinary user whom servers run as: the caller, or `postgres` when the tests are run by root. */
export interface TestUser {
  name: string
  uid: number
  gid: number
}

export const isRoot = process.getuid?.() === 0

/** Where root finds no `postgres`, no PostgreSQL is installed, and no server is tested: files can be given to `nobody`. */
export const ordinaryUser: TestUser = isRoot
  ? (lookUp('postgres') ?? lookUp('nobody') ?? { name: 'root', uid: 0, gid: 0 })
  : { ...userInfo(), name: userInfo().username }

/** Who starts pgbk, for tests that try each. */
export const users = isRoot ? ['an ordinary user', 'root'] : ['an ordinary user']

export { ifRoot } from './needs.js'

/** Options of a program that runs as the ordinary user, without further groups: one program less to start than `asUser`. */
export const ordinaryIds: { uid?: number; gid?: number } = isRoot
  ? { uid: ordinaryUser.uid, gid: ordinaryUser.gid }
  : {}

/** What to put before a command so that it runs as the ordinary user. */
export function asUser(user: TestUser = ordinaryUser): string[] {
  if (!isRoot) return []
  return ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups']
}

function lookUp(name: string): TestUser | undefined {
  const id = (flag: string) => execaSync('id', [flag, name], { reject: false }).stdout
  return id('-u') === '' ? undefined : { name, uid: Number(id('-u')), gid: Number(id('-g')) }
}
