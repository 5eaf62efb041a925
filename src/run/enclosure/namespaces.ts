import { existsSync, realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { SnapshotImage } from '../../catalog/backup.js'
import { imageNamespaces, mountImageScript } from '../../forms/mount-script.js'
import type { WorkingCopyAccess } from '../working-copy/working-copy.js'
import { sandboxSetUp } from './sandbox-set-up.js'
import { type Namespaces, noNamespaces } from './supervisor.js'

/** How far a server is shut off: `networked`: but for the network; `open`: where no sandbox is wanted, or none can be had. */
export type Enclosure = 'closed' | 'networked' | 'open'

/** What a server may see of this machine. */
export interface SandboxView {
  /** Of the caller. */
  user: { uid: number; gid: number }
  sockets: string
  /** The port in the name of its socket; undefined when no server is to be started. */
  port: number | undefined
  /** The path of the server program; undefined when none is to be started. */
  postgres: string | undefined
  /** Of the backups; they are read-only for it, or not there at all. */
  backups: string
  /** Directories that it reads: programs, its backup, further WAL archives. */
  readable: string[]
  /** Directories that it must not see. */
  hidden: string[]
  /** Where the backup is packed: what `lower` is to be mounted from. */
  image: SnapshotImage | undefined
}

const users = ['unshare', '--user', '--map-current-user', '--keep-caps']

/** SIOCSIFFLAGS with IFF_UP (netdevice(7)), for systems with neither ip nor ifconfig. */
const raiseLoopback = 'socket(S, 2, 2, 0) && ioctl(S, 0x8914, my $r = pack("a16 s x22", "lo", 1)) or exit 1'

/**
 * Nobody else's network, and what PostgreSQL listens on in it; where there is no program to bring it up, a server without TCP
 * does well all the same.
 */
const loopback = `
PATH=$PATH:/usr/sbin:/sbin
ip link set lo up 2>/dev/null || ifconfig lo up 2>/dev/null || perl -e '${raiseLoopback}' 2>/dev/null || [ -z "$2" ] || {
  echo 'sandbox: none of ip, ifconfig and perl can bring its network up' >&2
  exit 71
}
`

/** What goes around a server on a working copy. */
export function namespacesFor(
  enclosure: Enclosure,
  access: WorkingCopyAccess,
  view: SandboxView,
): Namespaces {
  if (enclosure !== 'open') return closed(enclosure, access, view)
  const { image } = view
  const enter = 'cd snapshot || exit 70\n'
  if (!access.mounts) return { ...noNamespaces, setUp: `${access.setUp}\n${enter}` }
  return {
    ...openHouse,
    ...(image ? { outer: imageNamespaces(image), outerSetUp: mountLower } : {}),
    setUp: `${ids(view)}${access.setUp}\n${readOnlyBackups}${enter}`,
    setUpArguments: [view.backups],
  }
}

/** Whose the server's files are, in its own name space of users: see `imageNamespaces`. */
function ids({ user, image }: SandboxView): string {
  const { uid, gid } = image ?? user
  return `uid=${uid}\ngid=${gid}\n`
}

/** The image goes where a plain snapshot would be linked to, before the server's own mounts, which get it from there. */
const mountLower = `
image=/proc/self/fd/7
top=lower
note=lower.note
lost='endServer "what serves the packed backup has ended"'
${mountImageScript}
`

/** What is unmounted outside is unmounted there too: else the disks of others would stay busy. A sandbox keeps none but its own. */
const ownMounts = ['unshare', '--mount', '--propagation', 'slave']

const openHouse = { ...noNamespaces, outer: users, inner: ownMounts }

/** Not even COPY TO the real path of a backup reaches it. */
const readOnlyBackups = `
mount --bind "$1" "$1" || exit 70
mount -o remount,bind,ro "$1" || exit 70
shift
`

function closed(enclosure: 'closed' | 'networked', access: WorkingCopyAccess, view: SandboxView): Namespaces {
  const hasNetwork = enclosure === 'networked'
  const { sockets, port, readable, hidden, postgres = '' } = view
  const image = access.mounts ? view.image : undefined
  return {
    outer: [...(image ? imageNamespaces(image) : users), '--ipc', ...(hasNetwork ? [] : ['--net'])],
    inner: ['unshare', '--mount', '--pid', '--fork', '--kill-child'],
    ownPids: true,
    socket: port === undefined ? '' : join(sockets, `.s.PGSQL.${port}`),
    outerSetUp: [hasNetwork ? '' : loopback, image ? mountLower : ''].join('\n'),
    setUp: sandboxSetUp(`${ids(view)}${access.setUp}`),
    setUpArguments: [...hidden, '', ...readable, '', sockets, postgres],
  }
}

/**
 * The directories of an installation, if they are not the system's own, which are there anyway, or lie in one that must stay
 * hidden.
 * @param hidden real paths.
 */
export function installationOf(postgres: string, hidden: string[]): string[] {
  const real = realpathSync(postgres)
  const prefix = dirname(dirname(real))
  const all = [
    dirname(postgres),
    dirname(real),
    ...['lib', 'lib64', 'share'].map((name) => join(prefix, name)),
    join('/usr/share/postgresql', basename(prefix)), // of Debian's
  ]
  const isHidden = (path: string) => hidden.some((one) => `${realpathSync(path)}/`.startsWith(`${one}/`))
  const isSystems = (path: string) => /^\/(usr|s?bin|lib\w*)(\/|$)/.test(path)
  return [...new Set(all)].filter((path) => existsSync(path) && (!isSystems(path) || isHidden(path)))
}

/**
 * Homes, and the root, by their real paths: a link would lead around what hides them. Where a user's home is a directory of the
 * system's own programs (that of `bin` is /bin), nothing in it is the user's.
 */
export function directoriesToHide(directories: string[]): string[] {
  const real = directories
    .filter((directory) => directory.startsWith('/') && existsSync(directory))
    .map((directory) => realpathSync(directory))
  return [...new Set(real)].filter((one) => !/^\/((usr\/)?(s?bin|lib\w*|share)|usr|)$/.test(one))
}
