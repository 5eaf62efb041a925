import type { ShowOptions } from '../../inventory/show.js'
import type { CommandSpec } from '../call/command-spec.js'
import { idMeaning, listFromOption } from '../call/options.js'
import { standInFor } from '../call/stand-in.js'

export const show: CommandSpec<ShowOptions> = {
  name: 'show',
  description: 'show everything about one backup',
  declare: (command) =>
    command.argument('[id]', `${idMeaning} (default: latest)`).addOption(listFromOption()),
  standIn: ({ options: { from }, settings, context }) =>
    from === undefined ? { as: 'owner', root: settings.root } : standInFor(from, settings, context),
  async run(call) {
    const {
      ids: [id = 'latest'],
      options,
    } = call
    const { show } = await import('../../inventory/show.js')
    const result = await show(id, options, call)
    const { showJson, showText } = await import('../../terminal/views/show-view.js')
    return { json: () => showJson(result), text: (screen) => showText(result, screen) }
  },
  help: `
Examples:
  pgbk show
  pgbk show 20261120
  pgbk show --from postgres@db1:/var/backups/pg
  pgbk show --json | jq .backup.databases
`,
}
