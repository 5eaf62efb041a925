import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotImage } from '../catalog/backup.js'
import type { PackedFacts } from '../catalog/entries/record-fields.js'
import type { Context } from '../context.js'
import { PgbkError } from '../errors.js'
import { seenBy } from '../system/paths/other-mounts.js'
import { isAlive, startTimeOf } from '../system/process/process-table.js'
import { type StdinBoundProgram, startStdinBound } from '../system/program/start-stdin-bound.js'
import { errorOf, readFetchNote } from './fetch-note.js'
import { holderName } from './holder-name.js'
import { type ImageErrand, type WantedImage, wantedLine } from './image-errand.js'

/**
 * The device must be opened in the user name space of the mount, and the server be outside of its mount name space: so it ends by itself
 * when that is gone, and nobody has the file open. The holder ends when its input does, whose first line is for the server alone.
 */
const holder = `
fail() { echo "image: $1" >&2; exit 70; }
PATH=$PATH:/usr/sbin:/sbin
top=$1
shift
exec 6<>/dev/fuse 5<&0 || exit 70
{ IFS= read -r wanted && printf '%s\\n' "$wanted"; } <&5 5<&- 6<&- 2>/dev/null |
  ${holderName}=$$ "$@" >/dev/null 2>&1 3<&6 5<&- 6<&- &
served=$!
exec 5<&-
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

type ImageOwner = Pick<PackedFacts, 'uid' | 'gid'>

/** Where an image will be shown as a file, once it is known which. */
export interface PreparedImage {
  /**
   * @throws {PgbkError} what the process that serves it says when it cannot read the image; `failed` with the reason when it cannot be
   * mounted here; the signal's reason when aborted.
   */
  mount(wanted: WantedImage, owner: ImageOwner): Promise<SnapshotImage>
  /**
   * From then on it is not there any more, or cannot be opened; who has it open still reads it, and the process that fetches it goes on
   * as long.
   * @param isOver whether nobody has: that process is waited for.
   */
  end(isOver: boolean): Promise<void>
}

/**
 * Starts what will serve an image: that takes as long as to find out which.
 * @param words the arguments by which pgbk serves an errand.
 */
export function prepareRemoteImage(
  errand: ImageErrand,
  words: string[],
  { env, signal, self }: Pick<Context, 'env' | 'signal' | 'self'>,
): PreparedImage {
  // Nobody else can have made that where its path is looked up after the holder has ended.
  const top = `/tmp/pgbk-${randomBytes(16).toString('hex')}`
  const namespaces = ['--user', '--map-current-user', '--keep-caps']
  const args = [...namespaces, 'sh', '-c', holder, 'sh', top, ...self, ...words]
  const over = new AbortController()
  let say: (line: string) => void = () => {}
  const input = new Promise<string>((resolve) => {
    say = resolve
  })
  const place = { kind: 'own', env, signal: AbortSignal.any([signal, over.signal]), input } as const
  const begun = startStdinBound('unshare', args, place).then((held) => ({ held, server: serverOf(held) }))
  begun.catch(() => {}) // told by mount
  return {
    mount: async (wanted, { uid, gid }) => {
      say(wantedLine(wanted))
      const { held, server } = await begun
      if (server) return { file: seenBy(held.pid, top), uid, gid }
      const fetching = readFetchNote(errand.note)
      throw (fetching && errorOf(fetching)) ?? notMountable(held.stderr())
    },
    end: async (isOver) => {
      over.abort()
      const { held, server } = await begun.catch(() => ({ held: undefined, server: undefined })) // told by mount
      await held?.end()
      const isThere = () => server && isAlive(server.pid, server.since)
      for (let waited = 0; isOver && isThere() && waited < mostEndMs; waited += 10) await sleep(10)
    },
  }
}

/** The process that serves the image, where that is mounted. */
function serverOf({ firstLine }: StdinBoundProgram): { pid: number; since: string | undefined } | undefined {
  const [, digits] = /^ready (\d+)$/.exec(firstLine ?? '') ?? []
  if (digits === undefined) return undefined
  const pid = Number(digits)
  return { pid, since: startTimeOf(pid) }
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
