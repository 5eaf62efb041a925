// The bundle as V8 had it compiled when it was built (make-code-cache.js): to compile its 3 MB takes longer than Node's own start. V8
// looks by itself whether that is of its own version, and compiles what it refuses. Its check of the source is one of the length alone.
const { readFileSync, statSync } = require('node:fs')
const { createRequire } = require('node:module')
const { dirname, join } = require('node:path')
const { Script } = require('node:vm')

const bundle = join(__dirname, '../dist/pgbk.cjs')
const codeCache = `${bundle}.code-cache`

function readCodeCache() {
  try {
    return statSync(codeCache).mtimeMs >= statSync(bundle).mtimeMs ? readFileSync(codeCache) : undefined
  } catch (error) {
    if (error.code === 'ENOENT') return undefined // of a package that was built elsewhere
    throw error
  }
}

function load() {
  // ASCII (esbuild.config.js): what is read as UTF-8 and is more than that takes V8 twice the memory, and longer.
  const source = readFileSync(bundle, 'latin1')
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename: bundle,
    cachedData: readCodeCache(),
  })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, createRequire(bundle), module, bundle, dirname(bundle))
  return { script, run: module.exports.run }
}

module.exports = { codeCache, load }
