import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'

/** What goes into a sandbox; absolute paths, each as it is on this machine. */
interface SandboxContents {
  /** The run's own directory. */
  run: string
  /** What must stay hidden even where it lies below the system's own directories. */
  hidden: string[]
  /** What is to be read: programs, its backup. */
  readable: string[]
  /** The directory of its socket. */
  sockets: string
  /** The server program, to try whether it starts in there; undefined when none is to be started. */
  postgres: string | undefined
}

const systemDirectories = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/nix/store',
  '/gnu/store',
]

/** Of /etc, only what programs need to find users, libraries and the time zone. */
const systemFiles = [
  ...[
    'passwd',
    'group',
    'nsswitch.conf',
    'localtime',
    'timezone',
    'ld.so.cache',
    'ld.so.conf',
    'ld.so.conf.d',
  ],
  ...['alternatives', 'ssl/openssl.cnf'],
].map((name) => join('/etc', name))

const devices = ['null', 'zero', 'full', 'random', 'urandom']

/**
 * What is done in the server's own shell, in mount and process name spaces of its own, with the run's directory as the present one:
 * builds a file system of its own in `sandbox/` from what a server needs, and makes that the root. Nothing else of this machine has a
 * path in there: no home directory, no other backup, no socket of another server. The working copy comes to `snapshot/` as late
 * as can be: a file server needs a moment until it answers.
 *
 * The directories of the system are bound as they are, read-only. What is mounted comes from tables in the form of fstab(5), each
 * carried out by one mount(8), that of util-linux: what other programs of that name make of such a table is not known. umount(8)
 * looks for /etc/fstab when its caller is not root. /proc may be forbidden in a container; PostgreSQL does without.
 */
export function sandboxSetUp(
  workingCopySetUp: string,
  contents: SandboxContents,
): { setUp: string; setUpArguments: string[] } {
  const { run, postgres = '' } = contents
  const links = systemDirectories.filter(isLink)
  const copied = [...links, ...systemFiles.filter((path) => existsSync(path))]
  const setUp = `
fail() { echo "sandbox: $1" >&2; exit 71; }
mountAll() {
  printf %s "$1" >sandbox/etc/fstab || fail /etc/fstab
  why=$(mount -a -T sandbox/etc/fstab 2>&1) || fail "$why"
}
PATH=$PATH:/usr/sbin:/sbin
{ echo 0 >/proc/sys/user/max_user_namespaces; } 2>/dev/null # no capabilities by a further one
case $(mount -V 2>&1) in *util-linux*) ;; *) fail 'mount is not that of util-linux' ;; esac
mount -t tmpfs -o mode=0755,size=64m tmpfs sandbox || fail 'no file system in memory'
mkdir -p sandbox/etc sandbox/dev sandbox/proc sandbox/var sandbox/run sandbox/before || fail directories
cp -RP --parents ${copied.join(' ')} sandbox/ || fail 'files of the system'
for name in ${devices.join(' ')}; do : >sandbox/dev/$name || fail /dev/$name; done
ln -s /proc/self/fd sandbox/dev/fd && ln -s /tmp sandbox/var/tmp || fail links
mount -t proc proc sandbox/proc 2>/dev/null
mountAll "$1"
late=$2
run=$3
postgres=$4
shift 4
${workingCopySetUp}
mountAll "$late"
: >sandbox/etc/fstab
cp -P wal "sandbox$run/wal" || fail wal
cd sandbox && pivot_root . before && cd / || fail 'the root cannot be changed'
umount -l /before && rmdir /before && mount -o remount,bind,ro / || fail 'the old root stays'
command -v setpriv >/dev/null && { [ -z "$postgres" ] || "$postgres" --version >/dev/null; } || fail 'programs do not start in it'
cd "$run/snapshot" || fail snapshot
`
  return { setUp, setUpArguments: [earlyMounts(contents), lateMounts(run), run, postgres] }
}

/** Programs before what hides homes among them, and what is to be read in spite of that. */
function earlyMounts({ run, hidden, readable, sockets }: SandboxContents): string {
  const system = systemDirectories.filter((path) => existsSync(path) && !isLink(path))
  const isThere = (path: string) => system.some((directory) => path.startsWith(`${directory}/`))
  const line = tableIn(run)
  return [
    ...system.map((path) => line(path, path, 'rbind,ro')),
    ...devices.map((name) => line(`/dev/${name}`, `/dev/${name}`, 'bind')),
    ...['/tmp', '/dev/shm'].map((path) => line('tmpfs', path, 'mode=1777')),
    ...hidden.filter(isThere).map((path) => line('tmpfs', path, 'mode=0755')),
    ...readable.map((path) => line(path, path, 'rbind,ro')),
    line(sockets, sockets, 'rbind'),
  ].join('')
}

function lateMounts(run: string): string {
  const line = tableIn(run)
  const own = ['snapshot', 'conf'].map((name) => join(run, name)).filter((path) => existsSync(path))
  return own.map((path) => line(path, path, 'rbind')).join('')
}

/** Lines of a table for the sandbox of a run. Directories to mount on are made. */
function tableIn(run: string): (source: string, path: string, options: string) => string {
  return (source, path, options) => {
    const type = source === 'tmpfs' ? 'tmpfs' : 'none'
    const fields = [source, `${run}/sandbox${path}`, type, `${options},X-mount.mkdir`].map(fieldOf)
    return `${fields.join(' ')} 0 0\n`
  }
}

/** As getmntent(3) reads it; a line that begins with `#` is a comment. */
function fieldOf(text: string): string {
  return text.replaceAll(/[ \t\n\\#]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`)
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}
