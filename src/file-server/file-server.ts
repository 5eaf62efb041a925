import { messageOf } from '../errors.js'
import { openStore } from './blocks/store.js'
import { answerRequests } from './operations/answer-requests.js'
import { directoryOrigin } from './origin/directory-origin.js'
import { serve } from './serve.js'
import { Tree } from './tree/tree.js'

/**
 * A program of its own: `node file-server.js ORIGIN STORE`, with /dev/fuse as its standard input. It shows the tree of ORIGIN, a
 * directory that it only reads, as one that can be written, and keeps what is written in STORE, an empty directory. It ends when
 * that file system is mounted nowhere any more, or, with status 1 and the reason, when it cannot go on.
 */
const [, , origin = '', storeDirectory = ''] = process.argv

// Meant for PostgreSQL, which still writes after them. The listeners are never called, but keep this process from its end.
for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP'] as const) process.on(signal, () => {})

try {
  const store = openStore(storeDirectory)
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  const tree = new Tree({ origin: directoryOrigin(origin), store })
  serve(0, answerRequests({ tree, store, owner }))
} catch (error) {
  const cause = (error as { cause?: unknown }).cause
  const because = cause === undefined ? '' : `: ${messageOf(cause)}`
  process.stderr.write(`pgbk: the file server cannot go on: ${messageOf(error)}${because}\n`)
  process.exitCode = 1
}
