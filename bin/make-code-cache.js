// Run by `npm run build`, with a command line of pgbk: what that has compiled on its way is kept, too.
const { chmodSync, writeFileSync } = require('node:fs')
const { codeCache, load } = require('./load.js')

async function makeCodeCache() {
  const { script, run } = load()
  await run()
  writeFileSync(codeCache, script.createCachedData())
  chmodSync(codeCache, 0o644) // whatever pgbk has made its umask
}

makeCodeCache()
