#!/bin/sh
# in-reach.sh COMMAND...: runs it in this directory. Started by root where no other user may read this directory or node (below
# /root, say), it runs in a copy below /tmp, which goes afterwards: pgbk and PostgreSQL never work as root, and who they work
# as must be able to read what they are. Where node lets root become nobody (that of Debian 13: io_uring, CVE-2024-22017), all of it
# runs as the user postgres.
set -u

# Whether others may read a file, and enter every directory above it.
readable() {
  case $(stat -c %A "$1") in ???????r*) ;; *) return 1 ;; esac
  above=$1
  while [ "$above" != / ]; do
    above=$(dirname "$above")
    case $(stat -c %A "$above") in *[xt]) ;; *) return 1 ;; esac
  done
}

node=$(readlink -f "$(command -v node)")
if [ "$(id -u)" != 0 ]; then exec "$@"; fi
if ! node -e 'process.seteuid(0)' 2>/dev/null && home=$(getent passwd postgres | cut -d: -f6) && [ -n "$home" ]; then
  echo 'This Node.js does not let root become another user: this goes on as the user postgres' >&2
  set -- setpriv --reuid=postgres --regid=postgres --init-groups env HOME="$home" USER=postgres LOGNAME=postgres "$@"
fi
if readable "$PWD/package.json" && readable "$node"; then exec "$@"; fi

copy=$(mktemp -d /tmp/pgbk-XXXXXX)
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
echo "Other users may not read $PWD or node: this goes on in a copy, $copy" >&2
mkdir "$copy/pgbk"
tar -cf - --exclude=./data --exclude=./.git . | tar -xf - -C "$copy/pgbk"
mkdir "$copy/bin" && cp "$node" "$copy/bin/node"
chmod -R a+rX "$copy"
cd "$copy/pgbk" || exit 1
PATH=$copy/bin:$copy/pgbk/node_modules/.bin:$PATH
export PATH
"$@"
