// The bundle, with what V8 had compiled of it when it was built (make-code-cache.js): to compile its 3 MB takes longer than Node's own start.
const { readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { dirname, join } = require('node:path')
const v8 = require('node:v8')
const { Script } = require('node:vm')
const { crc32 } = require('node:zlib')

const bundle = join(__dirname, '../dist/pgbk.cjs')
const codeCache = `${bundle}.code-cache`

/**
 * What a code cache is for, and how it ends, in one line before it: V8 looks at its own version and at the length of the source, and at
 * no sum of the cache, and Node ends where that is damaged.
 */
function headerOf(source, compiled) {
  const node = [process.version, process.arch, v8.cachedDataVersionTag()]
  return `${[...node, crc32(source), crc32(compiled)].join(' ')}\n`
}

/** Undefined where none can be read that is meant for this bundle and this Node (a package may have been built elsewhere): it only saves time. */
function readCodeCache(source) {
  try {
    const kept = readFileSync(codeCache)
    const at = kept.indexOf('\n') + 1
    const compiled = kept.subarray(at)
    return kept.toString('latin1', 0, at) === headerOf(source, compiled) ? compiled : undefined
  } catch {
    return undefined
  }
}

function load() {
  const source = readFileSync(bundle)
  // ASCII (esbuild.config.js): what is read as UTF-8 and is more than that takes V8 twice the memory, and longer.
  const text = `(function (exports, require, module, __filename, __dirname) {${source.toString('latin1')}\n})`
  const script = new Script(text, { filename: bundle, cachedData: readCodeCache(source) })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(bundle), module, bundle, dirname(bundle))
  return { script, source, run: module.exports.run }
}

module.exports = { codeCache, headerOf, load }
