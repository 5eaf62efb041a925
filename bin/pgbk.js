#!/usr/bin/env node
// Old syntax on purpose: every Node can read this far and say what is wrong.
// biome-ignore-all lint: for Nodes that are older than these rules
var version = process.versions.node.split('.').map(Number)
if (version[0] < 20 || (version[0] === 20 && version[1] < 19)) {
  console.error(
    'pgbk needs Node.js 20.19 or newer, this is ' + process.version + ' (' + process.execPath + ')',
  )
  process.exit(2)
}
require('./start.js')
