import type { PruneOptions } from '../../removal/prune.js'
import type { CommandSpec } from '../call/command-spec.js'
import { storeMeaning } from '../call/options.js'

interface Options extends PruneOptions {
  from?: string
}

export const prune: CommandSpec<Options> = {
  name: 'prune',
  description: 'remove the backups that the retention policy does not keep',
  takesTime: true,
  tellsHooks: ({ options }) => !options.dryRun,
  declare: (command) =>
    command
      .option('--from <store>', `by its own policy, ${storeMeaning}`)
      .option('-n, --dry-run', 'change nothing; show what would go, and why the others stay')
      .option('-y, --yes', 'do not ask')
      .option('--default-policy', 'without a policy: daily 7, on_demand 3, min 2'),
  async run(call) {
    const { from, ...options } = call.options
    if (from !== undefined) {
      const { pruneStore } = await import('../../removal/in-store/prune-store.js')
      const result = await pruneStore(from, options, call)
      const { prunedThereJson, prunedThereText } = await import('../../terminal/store-views/store-view.js')
      return { json: () => prunedThereJson(result), text: (screen) => prunedThereText(result, screen) }
    }
    const { prune } = await import('../../removal/prune.js')
    const result = await prune(call.options, call)
    const { packOlder } = await import('../../packing/pack-older.js')
    const staying = new Set(result.kept.map(({ backup }) => backup.id))
    const packed = await packOlder(staying, result, call)
    const { pruneJson, pruneText } = await import('../../terminal/views/prune-view.js')
    return { json: () => pruneJson(result, packed), text: (screen) => pruneText(result, packed, screen) }
  },
  help: `
The policy is the key retention of the configuration. A backup stays when any
rule keeps it:
  daily, weekly, monthly   the newest whole one of each of the newest so many
                           days, weeks, months that have any
  on_demand                the newest so many that were made by hand
  window                   all that restoring to any moment of this span needs
  min                      never fewer whole ones than this
Without a policy, and without --default-policy, nothing is removed. Never
removed are: the newest whole backup, the newest that no check has failed, the
newest proven one, those in use or held (pgbk hold), and what is not, or no
longer, a whole backup. Each cluster in a root is judged by itself.

With the key retention.pack_after, what stays and is older is packed then (pgbk
pack), where that saves room; --dry-run says how much, from samples.

With --from, a store by the key retention of it in the configuration. WAL that an
older backup there needs is copied to it first, what Object Lock keeps stays and
is named, and what killed uploads have left goes a day later.

On a terminal it asks first. Elsewhere it requires --yes.

Examples:
  pgbk prune --dry-run
  pgbk prune
  pgbk prune --yes --quiet      (for cron)
  pgbk prune --from offsite --dry-run
`,
}
