const withoutAnyRights = '--ambient-caps=-all --inh-caps=-all --bounding-set=-all --no-new-privs'

/** Of node: a file server that has shown 50,000 files has 90 MB with it, and 120 without. */
const littleMemory = '--max-semi-space-size=1'

interface SupervisorParts {
  outerSetUp: string
  setUp: string
  cleanUp: string
}

/**
 * The shells between pgbk and a server, each the parent of the next:
 * - outermost, in the caller's name spaces: cleans up when all is over;
 * - watching: reads its own input, which ends when pgbk ends, in whatever way, so that a killed pgbk leaves no server behind. It is told
 *   the pid of a server that has pids of its own: when that one ends, its shell does, and with it all that it has started;
 * - starting: makes the server's surroundings, and is the first of its pids where it has pids of its own.
 *
 * A server's shell is not killed before it has begun: it would live on without the one that its end is bound to, which asks for that
 * only after fork(2) (unshare --kill-child).
 *
 * What can end the watching shell at once (a device that cannot be opened) comes before it starts anything: a program is bound to its
 * parent's end only once it has asked for that. The companion looks for its parent, whose pid is its last argument, then.
 *
 * Statuses 70 and 71 of the inner ones say that no server was started; so does the lack of .begun, where the last could not even be called.
 * A socket's directory is sealed as soon as the server has noted it in postmaster.pid, which comes after all that it does to the socket
 * (StreamServerPort, PostmasterMain): what the data starts could else put a link to another server's in its place, and lead clients there.
 * Where something there is open for writing, that is refused (mount(2), EBUSY), and the reason told. Descriptor 3 is the companion's, 4 the
 * input (that of a background command is /dev/null), 5 the log, 6 the device of a file server, 7 the image of a packed backup. That one is outside of the server's mounts:
 * it ends by itself when they are gone. Where it fails, the server is ended, with the shells around it: while one of them has the device,
 * who waits for an answer waits for ever.
 */
export function supervisorScripts({ outerSetUp, setUp, cleanUp }: SupervisorParts): {
  outermost: string
  watching: string
  starting: string
} {
  return {
    outermost: `
trap '' PIPE
cd "$1" || exit 70
run=$PWD
sockets=$2
shift 2
[ ! -h image ] || exec 7<image || exit 70
"$@" || exit
exec 3<&- 7<&-
${cleanUp}
`,
    watching: `
served=
server=
killServer() {
  until [ -e .begun ] || ! kill -0 $server 2>/dev/null; do sleep 0.01; done
  kill -$signal $1
}
endServer() {
  echo "pgbk: $1" >>log
  [ -n "$server" ] || exit 70
  killServer $server
}
${outerSetUp}
exec 4<&0 7<&-
rm -f .begun
signal=$1
node=$6
program=$7
known=$8
companion=
[ -z "$program" ] || exec 6<>/dev/fuse
if [ -n "$2" ]; then
  setpriv --pdeathsig KILL "$2" "$3" "$4" "$5" $$ <&3 3<&- 4<&- 6<&- >/dev/null 2>&1 &
  companion=$!
fi
shift 8
exec 3<&-
"$@" </dev/null 4<&- &
server=$!
files=
if [ -n "$program" ]; then
  {
    setpriv ${withoutAnyRights} --pdeathsig KILL "$node" ${littleMemory} "$program" lower store "$known" <&6 4<&- 6<&- >/dev/null 2>>log &
    exec 4<&- 6<&-
    wait $! && exit
    endServer "the file server of the working copy has ended with status $?"
  } 2>/dev/null &
  files=$!
  exec 6<&-
fi
{
  pid=$server
  while read -r word value <&4; do
    case $word in
      pid) pid=$value ;;
      detach) exit ;;
    esac
  done
  killServer $pid
} >/dev/null 2>&1 &
reader=$!
status=0
while kill -0 $server 2>/dev/null; do wait $server; status=$?; done
[ -e .begun ] || status=70
rm -f .begun
kill $reader 2>/dev/null
case $status in
  70 | 71) ;;
  *) status=0; echo ended; cat <&4 >/dev/null ;;
esac
[ -z "$companion" ] || { kill $companion; wait $companion; } 2>/dev/null
[ -z "$files" ] || { kill $files; wait $files; } 2>/dev/null
[ -z "$served" ] || { kill $served; wait $served; } 2>/dev/null
exit $status
`,
    starting: `
: >.begun || exit 70
log=$1
own=$2
socket=$3
shift 3
exec 5>>"$log" || exit 70
${setUp}
if [ -z "$own" ]; then
  echo $$
  exec "$@" >&5 2>&5 5>&-
fi
"$@" >&5 2>&5 5>&- &
server=$!
exec 5>&-
echo $server
if [ -n "$socket" ]; then
  made() {
    [ -f data/postmaster.pid ] || return
    while IFS= read -r line; do [ "$line" != "\${socket%/*}" ] || return 0; done <data/postmaster.pid
    return 1
  }
  until made || ! kill -0 $server 2>/dev/null; do sleep 0.02; done
  if why=$(mount -o remount,bind,ro "\${socket%/*}" 2>&1); then echo sealed; else echo "unsealed $why"; fi
fi
while kill -0 $server 2>/dev/null; do wait $server; done
exit 0
`,
  }
}
