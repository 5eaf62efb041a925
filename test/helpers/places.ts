import { chownSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from '@jest/globals'
import { execaSync } from 'execa'
import { isRoot, ordinaryUser } from './users.js'

/** A new directory of the ordinary user; it goes when the tests of this file are over. */
export function aDirectory(name = 'pgbk-test-'): string {
  const directory = mkdtempSync(join(tmpdir(), name))
  if (isRoot) chownSync(directory, ordinaryUser.uid, ordinaryUser.gid)
  atEnd(() => removeTree(directory))
  return directory
}

/** Some tests take their own rights away. */
function removeTree(directory: string): void {
  execaSync('chmod', ['-R', 'u+rwx', directory], { reject: false })
  rmSync(directory, { recursive: true, force: true })
}

/** Done when the tests of this file are over, the newest first: a server stops before its directory goes. */
export function atEnd(work: () => void | Promise<void>): void {
  waiting.push(work)
}

const waiting: (() => void | Promise<void>)[] = []

afterAll(async () => {
  for (const work of waiting.splice(0).reverse()) await work()
}, 120_000)

export async function aFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
