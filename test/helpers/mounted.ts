import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { aDirectory } from './places.js'

/** The built file server. */
const fileServer = fileURLToPath(new URL('../../dist/file-server.js', import.meta.url))

/** As a run's supervisor does it (supervisor-scripts.ts, thin.ts), without a server. `$1` files, `$2` origin, `$3` store. */
const script = `
exec 6<>/dev/fuse
export node=${process.execPath} program=${fileServer}
"$node" "$program" "$2" "$3" <&6 6<&- 2>>"$1.log" &
unshare --mount sh -c '
mount -i -t fuse -o "fd=6,rootmode=40000,user_id=$(id -u),group_id=$(id -g),default_permissions" pgbk-thin "$1" || exit 70
exec 6<&-
shift 3
exec setpriv --inh-caps=-all --ambient-caps=-all --bounding-set=-all "$@"
' sh "$@" 6<&6
status=$?
exec 6<&-
wait
exit $status
`

export interface Places {
  /** Where the file system appears, for the command alone. */
  files: string
  origin: string
  store: string
}

/** The words that run a command where the file system is mounted; they end when the file server has ended too. */
export function onMount({ files, origin, store }: Places, command: string[]): string[] {
  const users = ['unshare', '--user', '--map-current-user', '--keep-caps']
  return [...users, 'sh', '-c', script, 'sh', files, origin, store, ...command]
}

/** A program in TypeScript, made into one that node runs. @param path below test/helpers. */
export function aProgram(path: string): string[] {
  const outfile = join(aDirectory('pgbk-program-'), 'program.mjs')
  const source = fileURLToPath(new URL(path, import.meta.url))
  buildSync({ entryPoints: [source], bundle: true, platform: 'node', format: 'esm', outfile })
  return [process.execPath, outfile]
}
