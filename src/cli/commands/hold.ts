import type { Command } from 'commander'
import type { HoldOptions } from '../../removal/hold.js'
import type { CommandSpec } from '../call/command-spec.js'
import { idMeaning, storeMeaning } from '../call/options.js'

interface Options extends HoldOptions {
  from?: string
}

export const hold: CommandSpec<Options> = {
  name: 'hold',
  description: 'protect a backup from being removed',
  declare: (command) =>
    fromOption(command.argument('<id>', idMeaning)).option('--reason <text>', 'a line that says why'),
  async run(call) {
    const {
      ids: [id = ''],
      options: { from, ...options },
    } = call
    if (from !== undefined) {
      const { holdInStore } = await import('../../removal/in-store/hold-in-store.js')
      const held = await holdInStore(id, from, options.reason, call)
      const { heldJson, heldText } = await import('../../terminal/views/hold-view.js')
      return {
        json: () => heldJson(held.backup, held.location),
        text: (screen) => heldText(held.backup, screen),
      }
    }
    const { holdBackup } = await import('../../removal/hold.js')
    const backup = await holdBackup(id, options, call)
    const { heldJson, heldText } = await import('../../terminal/views/hold-view.js')
    return { json: () => heldJson(backup, backup.directory), text: (screen) => heldText(backup, screen) }
  },
  help: `
prune and delete leave a held backup alone until pgbk release. list and show
say that it is held, and why.

Examples:
  pgbk hold latest --reason "the state before the migration"
  pgbk hold 20261120T030000Z
`,
}

const fromOption = (command: Command) => command.option('--from <store>', `of another place: ${storeMeaning}`)

export const release: CommandSpec<{ from?: string }> = {
  name: 'release',
  description: 'lift the hold on a backup',
  declare: (command) => fromOption(command.argument('<id>', idMeaning)),
  async run(call) {
    const { from } = call.options
    if (from !== undefined) {
      const { releaseInStore } = await import('../../removal/in-store/hold-in-store.js')
      const { backup, location } = await releaseInStore(call.ids[0] ?? '', from, call)
      const { heldJson, releasedText } = await import('../../terminal/views/hold-view.js')
      return { json: () => heldJson(backup, location), text: (screen) => releasedText(backup, screen) }
    }
    const { releaseBackup } = await import('../../removal/hold.js')
    const backup = await releaseBackup(call.ids[0] ?? '', call)
    const { heldJson, releasedText } = await import('../../terminal/views/hold-view.js')
    return { json: () => heldJson(backup, backup.directory), text: (screen) => releasedText(backup, screen) }
  },
  help: `
Nothing is removed by this: the next prune judges the backup like any other.

Examples:
  pgbk release 20261120T030000Z
`,
}
