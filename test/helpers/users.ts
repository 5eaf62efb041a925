import { userInfo } from 'node:os'
import { it } from '@jest/globals'
import { execaSync } from 'execa'

/** The ordinary user whom servers run as: the caller, or `postgres` when the tests are run by root. */
export interface TestUser {
  name: string
  uid: number
  gid: number
}

export const isRoot = process.getuid?.() === 0

export const ordinaryUser: TestUser = isRoot
  ? lookUp('postgres')
  : { ...userInfo(), name: userInfo().username }

/** A test that needs root, because it mounts something. Started by anybody else, there is nothing to test. */
export function ifRoot(title: string, body: () => Promise<void>): void {
  if (isRoot) it(title, body)
}

/** What to put before a command so that it runs as the ordinary user. */
export function asUser(user: TestUser = ordinaryUser): string[] {
  if (!isRoot) return []
  return ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups']
}

function lookUp(name: string): TestUser {
  const id = (flag: string) => Number(execaSync('id', [flag, name]).stdout)
  return { name, uid: id('-u'), gid: id('-g') }
}
