/**
 * What is done in the server's own shell, in mount and process name spaces of its own, with the run's directory as the present one:
 * builds a file system of its own in `sandbox/` from what a server needs, and makes that the root. Nothing else of this machine has a
 * path in there: no home directory, no other backup, no socket of another server. The working copy comes to `snapshot/` as late
 * as can be: a file server needs a moment until it answers.
 *
 * Arguments, each list ended by an empty one: what must stay hidden even where it lies below the system's own directories; what
 * is to be read (programs, its backup). Then the directory of the socket, and the server program, or "", to try whether it starts.
 *
 * The directories of the system are bound as they are, read-only; of /etc only what programs need to find users, libraries and the
 * time zone. umount(8) looks for /etc/fstab when its caller is not root.
 */
export const sandboxSetUp = (workingCopySetUp: string): string => `
run=$PWD
fail() { echo "sandbox: $1" >&2; exit 71; }
bind() { { [ -d "sandbox$1" ] || mkdir -p "sandbox$1"; } && mount --rbind "$1" "sandbox$1" || fail "$1"; }
readable() { bind "$1"; mount -o remount,bind,ro "sandbox$1" || fail "$1"; }
PATH=$PATH:/usr/sbin:/sbin
{ echo 0 >/proc/sys/user/max_user_namespaces; } 2>/dev/null # no capabilities by a further one
mount -t tmpfs -o mode=0755,size=64m tmpfs sandbox || fail 'no file system in memory'
copied=
system=
made='sandbox/etc sandbox/dev/shm sandbox/proc sandbox/tmp sandbox/var sandbox/run sandbox/before'
for path in /usr /bin /sbin /lib /lib32 /lib64 /libx32 /nix/store /gnu/store; do
  if [ -L $path ]; then copied="$copied $path"
  elif [ -d $path ]; then system="$system $path" made="$made sandbox$path"
  fi
done
mkdir -p $made || fail directories
for path in $system; do readable $path; done
for name in passwd group nsswitch.conf localtime timezone ld.so.cache ld.so.conf ld.so.conf.d alternatives ssl/openssl.cnf; do
  [ ! -e /etc/$name ] || copied="$copied /etc/$name"
done
[ -z "$copied" ] || cp -RP --parents $copied sandbox/ || fail "$copied"
: >sandbox/etc/fstab
for name in null zero full random urandom; do
  : >sandbox/dev/$name && mount --bind /dev/$name sandbox/dev/$name || fail /dev/$name
done
ln -s /proc/self/fd sandbox/dev/fd && ln -s /tmp sandbox/var/tmp || fail links
for path in /tmp /dev/shm; do
  mount -t tmpfs -o mode=1777 tmpfs sandbox$path || fail $path
done
mount -t proc proc sandbox/proc 2>/dev/null # a container may forbid it; PostgreSQL does without
while [ -n "$1" ]; do
  [ ! -d "sandbox$1" ] || mount -t tmpfs tmpfs "sandbox$1" || fail "$1"
  shift
done
shift
while [ -n "$1" ]; do
  readable "$1"
  shift
done
sockets=$2
postgres=$3
shift 3
bind "$sockets"
${workingCopySetUp}
bind "$run/snapshot"
[ ! -d conf ] || bind "$run/conf"
cp -P wal "sandbox$run/wal" || fail wal
cd sandbox && pivot_root . before && cd / || fail 'the root cannot be changed'
umount -l /before && rmdir /before && mount -o remount,bind,ro / || fail 'the old root stays'
command -v setpriv >/dev/null && { [ -z "$postgres" ] || "$postgres" --version >/dev/null; } || fail 'programs do not start in it'
cd "$run/snapshot" || fail snapshot
`
