// Run by `npm run build`, with a command line of pgbk: what that has compiled on its way is kept, too.
const { chmodSync, readFileSync, writeFileSync } = require('node:fs')
const { bundle, codeCache, load } = require('./load.js')

async function makeCodeCache() {
  const [strange] = readFileSync(bundle, 'utf8').match(/.{0,30}[\u0080-\uffff]/) ?? []
  if (strange !== undefined) throw new Error(`${bundle} is not all ASCII: ${strange}`)
  const { script, run } = load()
  await run()
  writeFileSync(codeCache, script.createCachedData())
  chmodSync(codeCache, 0o644) // whatever pgbk has made its umask
}

makeCodeCache()
