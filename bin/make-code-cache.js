// Run by `npm run build`, with a command line of pgbk: what that has compiled on its way is kept, too.
const { renameSync, writeFileSync } = require('node:fs')
const { codeCache, headerOf, load } = require('./load.js')

async function makeCodeCache() {
  const { script, source, run } = load()
  await run()
  const compiled = script.createCachedData()
  process.umask(0o022) // pgbk has one of its own
  const kept = Buffer.concat([Buffer.from(headerOf(source, compiled)), compiled])
  writeFileSync(`${codeCache}.new`, kept, { mode: 0o644, flush: true })
  renameSync(`${codeCache}.new`, codeCache)
}

makeCodeCache()
