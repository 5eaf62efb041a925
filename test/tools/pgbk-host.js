// Carries out command lines of the built pgbk one after the other, each as if it had this process for itself: its arguments,
// environment, directory and umask are those of the process, and its output goes where the process's does. To start a process
// takes longer than most of what tests ask of pgbk (test/helpers/pgbk-host.ts).
import { fileURLToPath } from 'node:url'
import { run } from '../../dist/pgbk.cjs'

const program = fileURLToPath(new URL('../../bin/pgbk.js', import.meta.url))
const umask = process.umask()

async function carryOut({ args, env, cwd }) {
  process.umask(umask)
  process.chdir(cwd)
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, env)
  process.argv = [process.execPath, program, ...args]
  process.exitCode = undefined
  await run()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1']) process.removeAllListeners(signal)
  return process.exitCode
}

process.on('message', async (call) => process.send(await carryOut(call)))
process.on('disconnect', () => process.exit())
