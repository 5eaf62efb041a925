import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach } from '@jest/globals'
import { execaSync } from 'execa'
import { killServersIn } from './servers-in.js'
import { isRoot, ordinaryUser } from './users.js'

/** A new directory of the ordinary user; it goes as `atEnd` says, with the servers that were left running in it. */
export function aDirectory(name = 'pgbk-test-'): string {
  const directory = mkdtempSync(join(tmpdir(), name))
  if (isRoot) chownSync(directory, ordinaryUser.uid, ordinaryUser.gid)
  atEnd(async () => {
    await killServersIn(directory)
    removeTree(directory)
  })
  return directory
}

/** Some tests take their own rights away, which stops all but root. */
function removeTree(directory: string): void {
  if (!isRoot) execaSync('chmod', ['-R', 'u+rwx', directory], { reject: false })
  rmSync(directory, { recursive: true, force: true })
}

type Work = () => void | Promise<void>

/**
 * Done when the test that asks for it is over, or, asked for outside of tests, when all of this file are; the newest first: a
 * server stops before its directory goes.
 */
export function atEnd(work: Work): void {
  const waiting = isInTest ? afterTest : afterFile
  waiting.push(work)
}

/** Done when all tests of this file are over, asked for wherever. */
export function atEndOfFile(work: Work): void {
  afterFile.push(work)
}

const afterTest: Work[] = []
const afterFile: Work[] = []
let isInTest = false

async function doAll(waiting: Work[]): Promise<void> {
  for (const work of waiting.splice(0).reverse()) await work()
}

// Not in an `afterEach`: those of the test's own file would come later.
beforeEach(async () => {
  await doAll(afterTest)
  isInTest = true
}, 120_000)

afterEach(() => {
  isInTest = false
})

afterAll(async () => {
  await doAll(afterTest)
  await doAll(afterFile)
}, 120_000)

/**
 * A port that nobody else takes before it is used: each worker has its own, below those that the system gives to connections;
 * and no killed server has left a socket for it.
 */
export async function aFreePort(): Promise<number> {
  for (;;) {
    const port = nextPort++
    if (!existsSync(`/tmp/.s.PGSQL.${port}`) && (await isFree(port))) return port
  }
}

// Each test file begins elsewhere: one that has just ended may have left ports that are closing.
let nextPort =
  10_000 + 2_500 * (Number(process.env.JEST_WORKER_ID ?? 1) % 8) + 20 * Math.floor(Math.random() * 110)

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
