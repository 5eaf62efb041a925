/**
 * Makes every file system of a mount name space read-only, but for one directory, and goes on as the program. Mount points with odd
 * characters have them as octal numbers (proc_pid_mountinfo(5)). One that has gone meanwhile (its directory was removed outside) needs
 * nothing: containers come and go. One process does nearly all (not with an older mount(8)), and a look at what there is finds the rest.
 */
const closed = `directory=$1
shift
mount --bind "$directory" "$directory" || exit 70
mount --all -o remount,bind,ro 2>/dev/null
mount -o remount,bind,rw "$directory" || exit 70
while read -r _ _ _ _ shown options _; do
  case $options in ro|ro,*) continue;; esac
  point=$(printf '%b.' "$shown")
  point=\${point%.}
  [ "$point" != "$directory" ] || continue
  said=$(mount -o remount,bind,ro "$point" 2>&1) && continue
  while read -r _ _ _ _ other _; do
    [ "$other" != "$shown" ] || { echo "$said" >&2; exit 70; }
  done </proc/self/mountinfo
done </proc/self/mountinfo
exec "$@"`

/**
 * What to put before the words of a command so that it can write nowhere but below a directory, whatever it is told to. It keeps its
 * user and its network. Not every system allows it, and root's files look like somebody else's to it: to be tried before.
 * @param directory an absolute path without links.
 */
export function writeOnlyBelow(directory: string): string[] {
  return [
    'unshare',
    '--user',
    '--map-current-user',
    '--keep-caps',
    '--mount',
    'sh',
    '-c',
    closed,
    'sh',
    directory,
  ]
}
