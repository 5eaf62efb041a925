import type { DeleteInstanceOptions, StartOptions } from '../../restore/instance/instance-commands.js'
import type { CommandSpec } from '../call/command-spec.js'
import { parsePort } from '../call/options.js'

export const instanceHelp = `
An instance is a lasting server that pgbk restore has made; a run is the
throw-away server of pgbk local-run. Nothing starts an instance after a reboot:
the README in its directory has a crontab line for that.

Examples:
  pgbk restore --name staging
  pgbk instance list
  pgbk instance stop staging
  pgbk instance start staging --port 5433
  pgbk instance delete staging
  pgbk local-run --detach
  pgbk instance stop 20261120T030000Z-48213
`

const nameMeaning = 'its name, see pgbk instance list'

export const instanceList: CommandSpec = {
  name: 'instance list',
  description: 'list all instances, and the runs in progress',
  async run(call) {
    const { listInstances } = await import('../../restore/instance/instance-commands.js')
    const result = await listInstances(call)
    const { instancesJson, instancesText, sayNoInstances } = await import(
      '../../terminal/views/instance-view.js'
    )
    sayNoInstances(result, call.context.progress)
    return { json: () => instancesJson(result), text: (screen) => instancesText(result, screen) }
  },
}

export const instanceStart: CommandSpec<StartOptions> = {
  name: 'instance start',
  description: 'start an instance',
  takesTime: true,
  declare: (command) =>
    command.argument('<name>', nameMeaning).option('--port <port>', 'a new port, from now on', parsePort),
  async run(call) {
    const {
      ids: [name = ''],
      options,
    } = call
    const { startInstance } = await import('../../restore/instance/instance-commands.js')
    const instance = await startInstance(name, options, call)
    const { instanceJson, startedText } = await import('../../terminal/views/instance-view.js')
    return {
      json: () => ({ instance: instanceJson(instance) }),
      text: (screen) => startedText(instance, screen),
    }
  },
}

export const instanceStop: CommandSpec = {
  name: 'instance stop',
  description: 'stop an instance; or end a run, and remove its working copy',
  takesTime: true,
  declare: (command) => command.argument('<name>', nameMeaning),
  async run(call) {
    const {
      ids: [name = ''],
    } = call
    const { stopInstance } = await import('../../restore/instance/instance-commands.js')
    const stopped = await stopInstance(name, call)
    const { stoppedJson, stoppedText } = await import('../../terminal/views/instance-view.js')
    return { json: () => stoppedJson(stopped), text: (screen) => stoppedText(stopped, screen) }
  },
}

export const instanceDelete: CommandSpec<DeleteInstanceOptions> = {
  name: 'instance delete',
  description: 'remove an instance with all its data, after asking',
  takesTime: true,
  declare: (command) => command.argument('<name>', nameMeaning).option('-y, --yes', 'do not ask'),
  async run(call) {
    const {
      ids: [name = ''],
      options,
    } = call
    const { deleteInstance } = await import('../../restore/instance/instance-commands.js')
    const instance = await deleteInstance(name, options, call)
    const { deletedText, instanceJson } = await import('../../terminal/views/instance-view.js')
    return {
      json: () => ({ deleted: instanceJson(instance) }),
      text: (screen) => deletedText(instance, screen),
    }
  },
}
