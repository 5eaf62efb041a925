import type { DeleteOptions } from '../../removal/delete.js'
import type { CommandSpec } from '../call/command-spec.js'

export const remove: CommandSpec<DeleteOptions> = {
  name: 'delete',
  description: 'remove backups, after asking',
  takesTime: true,
  declare: (command) =>
    command
      .argument('<id...>', 'ids of backups')
      .option('-y, --yes', 'do not ask')
      .option('--last', 'even when no whole backup is left'),
  async run(call) {
    const { deleteBackups } = await import('../../removal/delete.js')
    const result = await deleteBackups(call.ids, call.options, call)
    const { deleteJson, deleteText } = await import('../../terminal/views/delete-view.js')
    return { json: () => deleteJson(result), text: (screen) => deleteText(result, screen) }
  },
  help: `
On a terminal it asks first (unless --yes). Elsewhere it takes only whole ids,
and does not ask. The last whole backup goes only with --last.

Examples:
  pgbk delete 20261120T030000Z
  pgbk delete oldest
  pgbk delete --yes 20261118T030000Z 20261119T030000Z
`,
}
