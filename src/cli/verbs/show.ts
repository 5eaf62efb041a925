import { idMeaning } from '../options.js'
import type { Verb } from '../verb.js'

export const show: Verb = {
  name: 'show',
  description: 'show everything about one backup',
  declare: (command) => command.argument('<id>', idMeaning),
  async run({ ids: [id = ''], settings, context }) {
    const { show } = await import('../../commands/show.js')
    const result = await show(id, settings, context)
    const { showJson, showText } = await import('../../terminal/show-view.js')
    return { json: () => showJson(result), text: (screen) => showText(result, screen) }
  },
  help: `
Examples:
  pgbk show latest
  pgbk show 20261120
  pgbk show latest --json | jq .backup.databases
`,
}
