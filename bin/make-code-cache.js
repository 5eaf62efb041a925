// Run by `npm run build`, with a command line of pgbk: what that has compiled on its way is kept, too.
const { closeSync, fsyncSync, openSync, renameSync, writeSync } = require('node:fs')
const { codeCache, headerOf, load } = require('./load.js')

async function makeCodeCache() {
  const { script, source, run } = load()
  await run()
  const compiled = script.createCachedData()
  process.umask(0o022) // pgbk has one of its own
  const file = openSync(`${codeCache}.new`, 'w', 0o644)
  writeSync(file, headerOf(source, compiled))
  writeSync(file, compiled)
  fsyncSync(file)
  closeSync(file)
  renameSync(`${codeCache}.new`, codeCache)
}

makeCodeCache()
