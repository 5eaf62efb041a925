import { main } from './cli.js'
import { processContext } from './process-context.js'

/** Runs the command line of this process: bin/start.js calls it, out of the bundle that `npm run build` makes of it. */
export async function run(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2), processContext())
}
