import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotImage } from '../catalog/backup.js'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { Context, Identity } from '../context.js'
import { PgbkError } from '../errors.js'
import { seenBy } from '../system/paths/other-mounts.js'
import { isAlive, startTimeOf } from '../system/process/process-table.js'
import { startStdinBound } from '../system/program/start-stdin-bound.js'
import { errorOf, readFetchNote } from './fetch-note.js'
import { type ImageErrand, secretsFor } from './image-errand.js'
import { holderName, secretsName } from './served-variables.js'

/** The image of a backup elsewhere, as a file that can be opened for as long as nobody releases it. */
export interface RemoteImage extends SnapshotImage {
  isLost(): boolean
  /**
   * From then on it cannot be opened; who has it open still reads it, and the process that fetches it goes on as long.
   * @param isOver whether nobody has: that process is waited for.
   */
  release(isOver: boolean): Promise<void>
}

/**
 * The device must be opened in the user name space of the mount, and the server be outside of its mount name space: so it ends by itself
 * when that is gone, and nobody has the file open. The holder ends when its input does. The secrets are for the server alone.
 */
const holder = `
fail() { echo "image: $1" >&2; exit 70; }
PATH=$PATH:/usr/sbin:/sbin
top=$1
shift
exec 6<>/dev/fuse || exit 70
${holderName}=$$ "$@" </dev/null >/dev/null 2>&1 3<&6 6<&- &
served=$!
unset ${secretsName}
exec unshare --mount sh -c '
fail() { echo "image: $1" >&2; exit 70; }
mount -t tmpfs -o mode=0700,size=1m tmpfs /tmp || fail "no file system in memory"
: >"$1" || fail "no file in memory"
mount -i -t fuse -o "fd=6,rootmode=100400,user_id=$(id -u),group_id=$(id -g),default_permissions" pgbk-image "$1" || fail "the kernel does not mount FUSE for users here"
exec 6<&-
head -c 96 "$1" >/dev/null 2>&1 || fail "it cannot be read"
echo "ready $2"
cat >/dev/null
' sh "$top" "$served"
`

/** How long the process that has fetched may take to end. */
const mostEndMs = 10_000

/**
 * @param words the arguments by which pgbk serves an errand.
 * @param identities what it decrypts the image with.
 * @throws {PgbkError} what that process says when it cannot read the image; `failed` with the reason when it cannot be mounted here.
 */
export async function mountRemoteImage(
  errand: ImageErrand,
  { uid, gid }: Pick<PackedFacts, 'uid' | 'gid'>,
  { words, identities }: { words: string[]; identities: readonly Identity[] | undefined },
  { env, signal, self }: Pick<Context, 'env' | 'signal' | 'self'>,
): Promise<RemoteImage> {
  // Nobody else can have made that where its path is looked up after the holder has ended.
  const top = `/tmp/pgbk-${randomBytes(16).toString('hex')}`
  const namespaces = ['--user', '--map-current-user', '--keep-caps']
  const args = [...namespaces, 'sh', '-c', holder, 'sh', top, ...self, ...words]
  const held = await startStdinBound('unshare', args, {
    kind: 'own',
    env,
    signal,
    variables: secretsFor(identities),
  })
  const [ready, pid] = held.firstLine?.split(' ') ?? []
  if (ready !== 'ready') {
    const note = readFetchNote(errand.note)
    throw (note && errorOf(note)) ?? notMountable(held.stderr())
  }
  const served = Number(pid)
  const since = startTimeOf(served)
  return {
    ...{ file: seenBy(held.pid, top), uid, gid },
    isLost: () => held.hasEnded() || !isAlive(served, since),
    release: async (isOver) => {
      await held.end()
      for (let waited = 0; isOver && isAlive(served, since) && waited < mostEndMs; waited += 10)
        await sleep(10)
    },
  }
}

function notMountable(said: string): PgbkError {
  const reason =
    said
      .trim()
      .replaceAll(/^image: /gm, '')
      .replaceAll(/\n+/g, '; ') || 'no reason was given'
  return new PgbkError('failed', `an image elsewhere cannot be shown here as a file: ${reason}`, {
    facts: { reason },
    hint: hintFor(reason),
  })
}

function hintFor(reason: string): string {
  if (reason.includes('/dev/fuse')) return 'As root:  modprobe fuse; chmod 666 /dev/fuse .'
  if (/unshare: .*(Operation not permitted|No space left)/.test(reason))
    return 'User namespaces are forbidden here; pgbk doctor says how to allow them.'
  return 'It takes FUSE and user namespaces: pgbk doctor says what is missing.'
}
