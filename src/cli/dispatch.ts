import { loadConfig } from '../config/load.js'
import type { Context } from '../context.js'
import type { Screen } from '../terminal/screen.js'
import type { CommandName, Invocation } from './declare.js'

/** The result of a command, for programs and for people. */
export interface Outcome {
  json(): object
  text(screen: Screen): string
}

/**
 * Loads the module of one command, and with it only what that command needs, and prints its result.
 * @returns the exit status.
 */
export async function dispatch(
  invocation: Invocation,
  context: Context,
  print: (outcome: Outcome) => Promise<void>,
): Promise<number> {
  if (invocation.command === 'local-run') return dispatchLocalRun(invocation, context, print)
  await print(await outcomeOf(invocation, context))
  return 0
}

/** A run's result is there when it is ready, long before it ends. */
async function dispatchLocalRun(
  { ids, words, options, globals }: Invocation,
  context: Context,
  print: (outcome: Outcome) => Promise<void>,
): Promise<number> {
  const settings = await loadConfig(globals, context)
  const { localRun } = await import('../commands/local-run.js')
  return localRun(ids[0] ?? 'latest', words, options, settings, context, async (result) => {
    const { localRunJson, localRunText } = await import('../terminal/local-run-view.js')
    await print({ json: () => localRunJson(result), text: (screen) => localRunText(result, screen) })
  })
}

async function outcomeOf(invocation: Invocation, context: Context): Promise<Outcome> {
  const settings = await loadConfig(invocation.globals, context)
  const { ids, options } = invocation
  const [firstId = ''] = ids
  switch (invocation.command as Exclude<CommandName, 'local-run'>) {
    case 'create': {
      const { create } = await import('../commands/create.js')
      // commander's default for --no-verify is true, and would beat the configuration.
      const backup = await create(
        { ...options, verify: options.verify === false ? false : undefined },
        settings,
        context,
      )
      const { createJson, createText } = await import('../terminal/create-view.js')
      return { json: () => createJson(backup), text: (screen) => createText(backup, screen) }
    }
    case 'list': {
      const { list } = await import('../commands/list.js')
      const result = await list(settings)
      const { listJson, listText, sayRejected } = await import('../terminal/list-view.js')
      sayRejected(result, context.progress)
      return { json: () => listJson(result), text: (screen) => listText(result, screen) }
    }
    case 'show': {
      const { show } = await import('../commands/show.js')
      const backup = await show(firstId, settings, context)
      const { showJson, showText } = await import('../terminal/show-view.js')
      return { json: () => showJson(backup), text: (screen) => showText(backup, screen) }
    }
    case 'delete': {
      const { deleteBackups } = await import('../commands/delete.js')
      const result = await deleteBackups(ids, options, settings, context)
      const { deleteJson, deleteText } = await import('../terminal/delete-view.js')
      return { json: () => deleteJson(result), text: (screen) => deleteText(result, screen) }
    }
    case 'instance list': {
      const { listInstances } = await import('../commands/instance.js')
      const result = await listInstances(settings, context)
      const { instancesJson, instancesText } = await import('../terminal/instance-view.js')
      return { json: () => instancesJson(result), text: (screen) => instancesText(result, screen) }
    }
    case 'instance stop': {
      const { stopInstance } = await import('../commands/instance.js')
      const run = await stopInstance(firstId, settings, context)
      const { stoppedJson, stoppedText } = await import('../terminal/instance-view.js')
      return { json: () => stoppedJson(run), text: (screen) => stoppedText(run, screen) }
    }
    case 'demo': {
      const { demo } = await import('../commands/demo.js')
      const result = await demo(settings, context)
      const { demoJson, demoText } = await import('../terminal/demo-view.js')
      return { json: () => demoJson(result), text: () => demoText(result) }
    }
  }
}
