// The bundles, with what V8 had compiled of them when they were built (make-code-cache.js): to compile them takes longer than Node's own start.
const { readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { dirname, join } = require('node:path')
const v8 = require('node:v8')
const { Script } = require('node:vm')
const { crc32 } = require('node:zlib')

/** What pgbk is, and what it requires by these names where that is needed. */
const main = './pgbk.cjs'
const libraries = ['./s3-sdk.cjs', './age-library.cjs']

const dist = join(__dirname, '../dist')
const requireFrom = createRequire(join(dist, main))

/**
 * What a code cache is for, and how it ends, in one line before it: V8 looks at its own version and at the length of the source, and at
 * no sum of the cache, and Node ends where that is damaged.
 */
function headerOf(source, compiled) {
  const node = [process.version, process.arch, v8.cachedDataVersionTag()]
  return `${[...node, crc32(source), crc32(compiled)].join(' ')}\n`
}

/** Undefined where none can be read that is meant for this bundle and this Node (a package may have been built elsewhere): it only saves time. */
function readCodeCache(bundle, source) {
  try {
    const kept = readFileSync(codeCacheOf(bundle))
    const at = kept.indexOf('\n') + 1
    const compiled = kept.subarray(at)
    return kept.toString('latin1', 0, at) === headerOf(source, compiled) ? compiled : undefined
  } catch {
    return undefined
  }
}

function codeCacheOf(bundle) {
  return `${bundle}.code-cache`
}

function loadBundle(bundle) {
  const source = readFileSync(bundle)
  // ASCII (esbuild.config.js): what is read as UTF-8 and is more than that takes V8 twice the memory, and longer.
  const text = `(function (exports, require, module, __filename, __dirname) {${source.toString('latin1')}\n})`
  const script = new Script(text, { filename: bundle, cachedData: readCodeCache(bundle, source) })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, requireHere, module, bundle, dirname(bundle))
  return { bundle, script, source, exports: module.exports }
}

const loaded = new Map()

function loadOnce(name) {
  if (!loaded.has(name)) loaded.set(name, loadBundle(join(dist, name)))
  return loaded.get(name)
}

function requireHere(name) {
  return libraries.includes(name) ? loadOnce(name).exports : requireFrom(name)
}

/** Each of them, loaded: what pgbk is comes first. */
const loadAll = () => [main, ...libraries].map(loadOnce)

const load = () => loadOnce(main)

module.exports = { codeCacheOf, headerOf, load, loadAll }
