import type { SnapshotImage } from '../catalog/backup.js'
import type { Context } from '../context.js'
import { type ErrorCode, PgbkError } from '../errors.js'
import { seenBy } from '../system/paths/other-mounts.js'
import { startStdinBound } from '../system/program/start-stdin-bound.js'
import { imageNamespaces, mountImageScript } from './mount-script.js'

/** An image's files as a directory, for as long as nobody releases it. */
interface MountedImage {
  directory: string
  release(): Promise<void>
}

/** Where it is in the mounts of the process that holds it: memory of its own, which hides what is really there. */
const mountPoint = '/tmp/snapshot'

/** Ends when its input does: with this process, in whatever way. The image is named before anything hides its path. */
const holder = `
exec 9<"$1" || exit 70
image=/proc/self/fd/9
mount -t tmpfs -o mode=0700,size=1m tmpfs /tmp || { echo 'image: no file system in memory' >&2; exit 70; }
top=${mountPoint}
mkdir $top
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
 * @throws {PgbkError} `programs-missing`, `failed` or `damaged` with the reason; the signal's reason when aborted.
 */
export async function mountImage(
  image: SnapshotImage,
  { env, signal }: Pick<Context, 'env' | 'signal'>,
): Promise<MountedImage> {
  const [file = '', ...words] = imageNamespaces(image)
  const args = [...words, 'sh', '-c', holder, 'sh', image.file]
  const held = await startStdinBound(file, args, { env, signal })
  if (held.firstLine !== 'ready') throw notMountable(held.stderr())
  return { directory: seenBy(held.pid, mountPoint), release: held.end }
}

/** Why an image cannot be mounted on this machine, by what the shell that tried has said. */
export function notMountable(said: string): PgbkError {
  const reason =
    said
      .trim()
      .replaceAll(/^image: /gm, '')
      .replaceAll(/\n+/g, '; ') || 'no reason was given'
  const [, code, hint] = kinds.find(([pattern]) => pattern.test(reason)) ?? [/./, 'failed' as const, unpack]
  return new PgbkError(code, `the packed snapshot cannot be mounted: ${reason}`, { hint, facts: { reason } })
}

const unpack = 'Without that it has to be unpacked before it is used:  pgbk unpack ID'

const kinds: [RegExp, ErrorCode, string][] = [
  [
    /squashfuse is not installed/,
    'programs-missing',
    `Install it (Debian, Ubuntu, Fedora: package squashfuse). ${unpack}`,
  ],
  [/\/dev\/fuse/, 'failed', `As root:  modprobe fuse; chmod 666 /dev/fuse\n${unpack}`],
  [
    /unshare: /,
    'failed',
    `User namespaces are forbidden here; pgbk doctor says how to allow them. ${unpack}`,
  ],
  [/squashfs image|squashfs superblock/i, 'damaged', 'Look at it with pgbk verify, and use another backup.'],
]
