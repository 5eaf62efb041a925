import type { ListOptions } from '../../inventory/list.js'
import type { CommandSpec } from '../call/command-spec.js'
import { listFromOption } from '../call/options.js'
import { standInFor } from '../call/stand-in.js'

export const list: CommandSpec<ListOptions> = {
  name: 'list',
  description: 'list all backups, newest first',
  declare: (command) => command.alias('ls').addOption(listFromOption()),
  standIn: ({ options: { from }, settings, context }) =>
    from === undefined ? { as: 'owner', root: settings.root } : standInFor(from, settings, context),
  async run(call) {
    const { list } = await import('../../inventory/list.js')
    const result = await list(call.options, call)
    const { listJson, listText, sayRejected } = await import('../../terminal/views/list-view.js')
    sayRejected(result, call.context.progress)
    return { json: () => listJson(result), text: (screen) => listText(result, screen) }
  },
  help: `
Newest first. State is "whole", or "used" when a server was started inside the
snapshot. The window is how far the backup can be taken with its WAL archive
(see pgbk wal --help). Directories that are not whole backups are named on
standard error.

Examples:
  pgbk list
  pgbk list -C /srv/backups/db1
  pgbk list --from postgres@db1:/var/backups/pg
  pgbk list --json | jq -r '.backups[0].id'
`,
}
