import { randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import type { SnapshotImage } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { type ErrorCode, PgbkError } from '../errors.js'
import { seenBy } from '../system/paths/other-mounts.js'
import { startStdinBound } from '../system/program/start-stdin-bound.js'
import { imageNamespaces, mountImageScript } from './mount-script.js'

/** An image's files as a directory, for as long as nobody releases it. */
export interface MountedImage {
  directory: string
  /** Whether nothing in there can be read any more, because what served it has ended. */
  isLost(): boolean
  release(): Promise<void>
}

/** The image is opened where its path is known: that of one elsewhere leads through the mounts of another process. */
const opener = 'exec 9<"$1" || exit 70; shift; exec "$@"'

/**
 * Ends when its input does: with this process, in whatever way. The image is mounted in memory of its own, which hides what is really
 * there.
 */
const holder = `
image=/proc/self/fd/9
mount -t tmpfs -o mode=0700,size=1m tmpfs /tmp || { echo 'image: no file system in memory' >&2; exit 70; }
top=$1
note=/tmp/note
lost=-
mkdir "$top"
${mountImageScript}
echo ready
cat >/dev/null
kill $served
wait $served 2>/dev/null
exit 0
`

/**
 * Mounts an image where only this process and those that it starts can see it: no other process has a path to it but through the one
 * that holds it, and nothing is left when this process ends.
 * @param otherwise what to do where this machine cannot do it.
 * @throws {PgbkError} `programs-missing`, `failed` or `damaged`, with the reason; the signal's reason when aborted.
 */
export async function mountImage(
  image: SnapshotImage,
  { env, signal }: Pick<Context, 'env' | 'signal'>,
  otherwise = '',
): Promise<MountedImage> {
  // When the holder has ended, its pid may be that of a process that sees the real /tmp: nobody can have made this there.
  const mountPoint = `/tmp/pgbk-${randomBytes(16).toString('hex')}`
  const shell = (script: string) => ['-c', script, 'sh']
  const inside = ['sh', ...shell(holder), mountPoint]
  const args = [...shell(opener), image.file, ...imageNamespaces(image), ...inside]
  const held = await startStdinBound('sh', args, { env, signal })
  if (held.firstLine !== 'ready') throw notMountable(held.stderr(), otherwise)
  const directory = seenBy(held.pid, mountPoint)
  return { directory, isLost: () => held.hasEnded() || !canBeRead(directory), release: held.end }
}

function canBeRead(directory: string): boolean {
  try {
    return statSync(directory).isDirectory()
  } catch {
    return false
  }
}

/** Why an image cannot be mounted on this machine, by what the shell that tried has said. */
function notMountable(said: string, otherwise: string): PgbkError {
  const words = said.trim().replaceAll(/^image: /gm, '')
  const reason = words.replaceAll(/\n+/g, '; ') || 'no reason was given'
  const [, code, remedy] = kinds.find(([pattern]) => pattern.test(reason)) ?? unknown
  const hint = code === 'damaged' || otherwise === '' ? remedy : `${remedy}\n${otherwise}`
  return new PgbkError(code, `the packed snapshot cannot be mounted: ${reason}`, { hint, facts: { reason } })
}

const kinds: [RegExp, ErrorCode, string][] = [
  [
    /squashfuse is not installed/,
    'programs-missing',
    'Install it (Debian, Ubuntu, Fedora: package squashfuse).',
  ],
  [/\/dev\/fuse/, 'failed', 'As root:  modprobe fuse; chmod 666 /dev/fuse .'],
  [
    /unshare: .*(Operation not permitted|No space left)/,
    'failed',
    'User namespaces are forbidden here; pgbk doctor says how to allow them.',
  ],
  [/unshare: /, 'failed', 'It takes unshare of util-linux 2.36 or newer, for its --map-user.'],
  [/uses .* compression/, 'programs-missing', 'This squashfuse does not read zstd: install one that does.'],
  [/doesn't look like a squashfs image/, 'damaged', 'Look at it with pgbk verify, and use another backup.'],
]

const unknown: (typeof kinds)[number] = [/./, 'failed', 'See what keeps squashfuse from it.']
