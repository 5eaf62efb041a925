import type { DeleteOptions } from '../../removal/delete.js'
import type { CommandSpec } from '../call/command-spec.js'
import { storeMeaning } from '../call/options.js'

interface Options extends DeleteOptions {
  from?: string
}

export const remove: CommandSpec<Options> = {
  name: 'delete',
  description: 'remove backups, after asking',
  takesTime: true,
  declare: (command) =>
    command
      .argument('<id...>', 'ids of backups')
      .option('--from <store>', `from another place: ${storeMeaning}`)
      .option('-y, --yes', 'do not ask')
      .option('--last', 'even when no whole backup is left'),
  async run(call) {
    const { from, ...options } = call.options
    if (from !== undefined) {
      const { deleteFromStore } = await import('../../removal/in-store/delete-from-store.js')
      const result = await deleteFromStore(call.ids, from, options, call)
      const { deletedThereJson, deletedThereText } = await import('../../terminal/store-views/store-view.js')
      return { json: () => deletedThereJson(result), text: (screen) => deletedThereText(result, screen) }
    }
    const { deleteBackups } = await import('../../removal/delete.js')
    const result = await deleteBackups(call.ids, call.options, call)
    const { deleteJson, deleteText } = await import('../../terminal/views/delete-view.js')
    return { json: () => deleteJson(result), text: (screen) => deleteText(result, screen) }
  },
  help: `
On a terminal it asks first (unless --yes). Elsewhere it takes only whole ids,
and does not ask. The last whole backup goes only with --last.

With --from, from a store. WAL that an older backup there needs is copied to it
first; what Object Lock keeps stays, and is named.

Examples:
  pgbk delete 20261120T030000Z
  pgbk delete oldest
  pgbk delete --yes 20261118T030000Z 20261119T030000Z
`,
}
