// Loaded into a pgbk that root starts (node --import): the process ends when root works with a path outside of the modules that
// are made for it, or starts a program that is not listed. test/privileges/root-guard.test.ts shows that it does.
import childProcess from 'node:child_process'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { fileURLToPath } from 'node:url'

// src/privileges/ and system/process/become.ts look and step down; src/config/ and trusted-path.ts find out what can be
// trusted, and read the configuration through one checked descriptor; version.ts pgbk itself.
const mayTouch =
  /\/dist\/(privileges\/|config\/|system\/process\/become\.js|system\/paths\/(trusted-path|real-path)\.js|version\.js)/
/** The caller's own crontab, pgbk itself (a rehearsal, or as another user), and the shell in which cron would start it. */
const mayStart = /^(crontab|node|sh)$/

const bundle = fileURLToPath(new URL('../../dist/pgbk.cjs', import.meta.url))
/** Which line of the bundle begins which module: esbuild writes its path above it. */
const modules = fs
  .readFileSync(bundle, 'utf8')
  .split('\n')
  .flatMap((line, index) => {
    const [, path] = /^\/\/ ((?:dist|node_modules)\/\S+)$/.exec(line) ?? []
    return path === undefined ? [] : [{ path, line: index + 1 }]
  })
if (!modules.some(({ path }) => path.startsWith('dist/privileges/')))
  throw new Error(`${bundle} does not name its modules`)

const unbundled = (stack) =>
  stack.replaceAll(/\/dist\/pgbk\.cjs:(\d+)/g, (_, line) => {
    const { path } = modules.findLast((module) => module.line <= Number(line)) ?? {}
    return `/${path}, line ${line} of the bundle`
  })

function callerOf() {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 50
  const stack = unbundled(new Error().stack ?? '')
  Error.stackTraceLimit = stackTraceLimit
  const frames = stack.split('\n').slice(3)
  const first = frames.findIndex((line) => /\/dist\/|node:internal\/modules/.test(line))
  // Node itself, which loads a module, is no caller.
  return { stack, caller: frames[first]?.includes('/dist/') ? frames[first] : undefined }
}

function refuse(what, stack) {
  fs.writeSync(2, `ROOT GUARD: ${what}\n${stack}\n`)
  process.kill(process.pid, 'SIGKILL')
}

function guard(object, name) {
  const real = object[name]
  object[name] = Object.assign(function guarded(...args) {
    const [path] = args
    const isPath = typeof path === 'string' || path instanceof URL || Buffer.isBuffer(path)
    if (isPath && process.geteuid() === 0 && !/^\/(proc|sys)\//.test(String(path))) {
      const { stack, caller } = callerOf()
      if (caller !== undefined && !mayTouch.test(caller)) refuse(`${name}(${path})`, stack)
    }
    return real.apply(this, args)
  }, real)
}

for (const object of [fs, fs.promises])
  for (const [name, value] of Object.entries(object))
    if (typeof value === 'function' && /^[a-z]/.test(name) && !/^(write|read)(v|Sync)?$/.test(name))
      guard(object, name)

const { spawn } = childProcess
childProcess.spawn = function guarded(file, ...rest) {
  const { stack } = callerOf()
  if (process.geteuid() === 0 && !mayStart.test(String(file).split('/').at(-1)))
    refuse(`spawn ${file}`, stack)
  return spawn.call(this, file, ...rest)
}
syncBuiltinESMExports()
