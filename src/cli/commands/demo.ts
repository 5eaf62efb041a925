import { checkUserOfPostgres } from '../../demo/demo-needs.js'
import type { CommandSpec } from '../call/command-spec.js'

export const demo: CommandSpec = {
  name: 'demo',
  description: 'a tour on a throw-away server, with no set-up',
  standIn({ settings, context }) {
    checkUserOfPostgres(settings.run_as, context)
    return { as: 'run_as' }
  },
  async run(call) {
    const { demo } = await import('../../demo/demo.js')
    const result = await demo(call)
    const { demoJson, demoText } = await import('../../terminal/views/demo-view.js')
    return { json: () => demoJson(result), text: () => demoText(result) }
  },
  help: `
Starts a PostgreSQL server of its own with a little sample data, backs it up,
opens the backup, and shows every command with its real output. It uses a
temporary directory, and leaves nothing behind. Needs PostgreSQL's server
programs.
`,
}
