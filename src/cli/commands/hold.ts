import type { HoldOptions } from '../../removal/hold.js'
import type { CommandSpec } from '../call/command-spec.js'
import { idMeaning } from '../call/options.js'

export const hold: CommandSpec<HoldOptions> = {
  name: 'hold',
  description: 'protect a backup from being removed',
  declare: (command) => command.argument('<id>', idMeaning).option('--reason <text>', 'a line that says why'),
  async run(call) {
    const {
      ids: [id = ''],
      options,
    } = call
    const { holdBackup } = await import('../../removal/hold.js')
    const backup = await holdBackup(id, options, call)
    const { heldJson, heldText } = await import('../../terminal/views/hold-view.js')
    return { json: () => heldJson(backup), text: (screen) => heldText(backup, screen) }
  },
  help: `
prune and delete leave a held backup alone until pgbk release. list and show
say that it is held, and why.

Examples:
  pgbk hold latest --reason "the state before the migration"
  pgbk hold 20261120T030000Z
`,
}

export const release: CommandSpec = {
  name: 'release',
  description: 'lift the hold on a backup',
  declare: (command) => command.argument('<id>', idMeaning),
  async run(call) {
    const { releaseBackup } = await import('../../removal/hold.js')
    const backup = await releaseBackup(call.ids[0] ?? '', call)
    const { heldJson, releasedText } = await import('../../terminal/views/hold-view.js')
    return { json: () => heldJson(backup), text: (screen) => releasedText(backup, screen) }
  },
  help: `
Nothing is removed by this: the next prune judges the backup like any other.

Examples:
  pgbk release 20261120T030000Z
`,
}
