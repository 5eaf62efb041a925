/**
 * Shell commands that mount an image in a user and a mount name space of their own, where files of the image's owner are the caller's:
 * ids are read in the name space of the mount. No program with other rights than the caller's is needed. The file system is served by a
 * process that ends with the shell; `$image`, `$top`, an empty directory, and `$note`, a file to be written, must be set. Their failure ends the shell with 70, and the
 * reason on standard error. Nothing that the shell has open is left to that process: whoever waits for its end would wait for ever.
 * When it ends by itself, from then on nothing in the image can be read, and the shell gets SIGUSR1; `$lost` is its trap (`-` is to end).
 */
export const mountImageScript = `
noImage() { echo "image: $1" >&2; exit 70; }
PATH=$PATH:/usr/sbin:/sbin
program=$(command -v squashfuse_ll || command -v squashfuse) || noImage 'squashfuse is not installed'
[ -r /dev/fuse ] && [ -w /dev/fuse ] || noImage '/dev/fuse cannot be opened'
true >"$note" || noImage 'no room for a note'
trap '' USR1
setpriv --pdeathsig KILL sh -c '"$@"; kill -USR1 $PPID' sh \
  setpriv --pdeathsig KILL "$program" -f "$image" "$top" </dev/null >/dev/null 2>"$note" 3<&- &
served=$!
looks=0
until mountpoint -q "$top"; do
  kill -0 $served 2>/dev/null || noImage "$(tail -n 3 "$note"; rm -f "$note")"
  [ $((looks += 1)) -le 3000 ] || noImage "$program does not mount it"
  sleep 0.01
done
rm -f "$note"
trap "$lost" USR1
kill -0 $served 2>/dev/null || noImage 'squashfuse has ended at once'
`

/** The words before such a shell. */
export function imageNamespaces({ uid, gid }: { uid: number; gid: number }): string[] {
  return ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`, '--keep-caps', '--mount']
}
