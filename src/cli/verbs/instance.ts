import type { Verb } from '../verb.js'

export const instanceHelp = `
Examples:
  pgbk local-run --detach
  pgbk instance list
  pgbk instance stop 20261120T030000Z-1
`

export const instanceList: Verb = {
  name: 'instance list',
  description: 'list what is running',
  async run({ settings, context }) {
    const { listInstances } = await import('../../commands/instance.js')
    const result = await listInstances(settings, context)
    const { instancesJson, instancesText } = await import('../../terminal/instance-view.js')
    return { json: () => instancesJson(result), text: (screen) => instancesText(result, screen) }
  },
}

export const instanceStop: Verb = {
  name: 'instance stop',
  description: 'end a run and remove its working copy',
  takesTime: true,
  declare: (command) => command.argument('<name>', 'its name'),
  async run({ ids: [name = ''], settings, context }) {
    const { stopInstance } = await import('../../commands/instance.js')
    const run = await stopInstance(name, settings, context)
    const { stoppedJson, stoppedText } = await import('../../terminal/instance-view.js')
    return { json: () => stoppedJson(run), text: (screen) => stoppedText(run, screen) }
  },
}
