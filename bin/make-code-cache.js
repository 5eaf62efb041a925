// Run by `npm run build`, with a command line of pgbk: what that has compiled on its way is kept, too.
const { renameSync, writeFileSync } = require('node:fs')
const { codeCacheOf, headerOf, load, loadAll } = require('./load.js')

async function makeCodeCaches() {
  await load().exports.run()
  process.umask(0o022) // pgbk has one of its own
  for (const { bundle, script, source } of loadAll()) {
    const compiled = script.createCachedData()
    const kept = Buffer.concat([Buffer.from(headerOf(source, compiled)), compiled])
    const file = codeCacheOf(bundle)
    writeFileSync(`${file}.new`, kept, { mode: 0o644, flush: true })
    renameSync(`${file}.new`, file)
  }
}

makeCodeCaches()
