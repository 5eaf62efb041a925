import { main } from './cli.js'
import { type ProcessContext, processContext } from './process-context.js'

/**
 * Runs the command line of this process: bin/start.js calls it, out of the bundle that `npm run build` makes of it.
 * @param changes for tests: what is to be otherwise than in this process.
 */
export async function run(changes: Partial<ProcessContext> = {}): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), { ...processContext(), ...changes })
}
