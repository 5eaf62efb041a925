#!/bin/sh
# install-packages.sh demo|test: what the machine lacks for them, from its own packages (Debian, Ubuntu).
#
# As root it prints the packages and installs them; as anybody else it asks first, where there is a terminal and sudo, and else
# prints the one line to type. PGBK_INSTALL=no keeps it from all of that. No server is started by it, now or when the machine
# starts, and no cluster is made. What cannot be installed is no failure here: demo and tests say themselves what they lack.
set -u

here() { [ -x "$(command -v "$1" || echo "/usr/sbin/$1")" ]; }
# A server and the clients of one major, wherever packages put them.
postgres_here() {
  for bin in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin "${PGBK_BIN_DIR:-/nowhere}" "$(pg_config --bindir 2>/dev/null)"; do
    [ -x "$bin/initdb" ] && [ -x "$bin/pg_basebackup" ] && return 0
  done
  return 1
}
# OpenStack's object store: its modules alone, which start nothing.
swift_here() { [ -e /usr/lib/python3/dist-packages/swift/common/middleware/s3api/s3api.py ]; }
faketime_here() { for file in /usr/lib/*/faketime/libfaketime.so.1; do [ -e "$file" ] && return 0; done; return 1; }

missing=''
lack() { missing="$missing $1"; }
postgres_here || lack postgresql
if [ "${1:-}" = test ]; then
  here ssh || lack openssh-client
  here sshd || lack openssh-server
  here ps || lack procps
  here mkfs.xfs || lack xfsprogs
  here mkfs.btrfs || lack btrfs-progs
  here filefrag || lack e2fsprogs
  here bsdtar || lack libarchive-tools
  here mksquashfs || lack squashfs-tools
  here squashfuse || lack squashfuse
  # For systemd-analyze alone.
  here systemd-analyze || lack systemd
  here cron || lack cron
  faketime_here || lack libfaketime
  swift_here || lack python3-swift
  for program in age jq openssl zstd busybox zsh fish; do here "$program" || lack "$program"; done
fi
missing=${missing# }
if [ -z "$missing" ] || [ "${PGBK_INSTALL:-}" = no ] || ! command -v apt-get >/dev/null; then exit 0; fi

# Everything that has to be done by root, as one program of sh. policy-rc.d keeps packages from starting anything; the file in
# createcluster.d keeps PostgreSQL's from making a cluster; both go again.
# shellcheck disable=SC2016
as_root='
set -u
no_cluster=/etc/postgresql-common/createcluster.d/no-cluster-for-pgbk.conf
undo="rm -f $no_cluster"
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf "#!/bin/sh\nexit 101\n" >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d
  undo="$undo /usr/sbin/policy-rc.d"
fi
trap "$undo" EXIT
trap "exit 1" INT TERM HUP
mkdir -p "${no_cluster%/*}"
echo "create_main_cluster = false" >"$no_cluster"
apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null || echo "apt-get update failed; going on with what is known" >&2
said=$(DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
  install -y --no-install-recommends "$@" 2>&1) || { echo "$said" | tail -5 >&2; exit 1; }
for package in "$@"; do
  case $package in
  openssh-server) units="ssh.service ssh.socket" ;;
  cron) units=cron.service ;;
  *) continue ;;
  esac
  if command -v systemctl >/dev/null; then systemctl --quiet disable $units 2>/dev/null; fi
done
exit 0
'

root=$([ "$(id -u)" = 0 ] && echo yes)
can_ask=$(command -v sudo >/dev/null && [ -t 0 ] && [ -t 2 ] && echo yes)
# The demo says it itself.
if [ "$root$can_ask" = '' ] && [ "$1" = demo ]; then exit 0; fi
echo "Missing here for the $1: $missing" >&2
if [ "$root" = yes ]; then
  echo 'Installing that; nothing of it is started (PGBK_INSTALL=no npm ... leaves the machine as it is).' >&2
  # shellcheck disable=SC2086
  sh -c "$as_root" sh $missing || echo 'That failed; going on without.' >&2
  exit 0
fi
if [ "$can_ask" = yes ]; then
  printf 'Install that with sudo? Nothing of it is started. [y/N] ' >&2
  read -r answer
  case $answer in
  [yY]*)
    # shellcheck disable=SC2086
    sudo sh -c "$as_root" sh $missing || echo 'That failed; going on without.' >&2
    exit 0
    ;;
  esac
fi
echo 'Going on without it: what cannot be tested is named at the end. To install it, as root:' >&2
echo "  apt-get install --no-install-recommends $missing" >&2
