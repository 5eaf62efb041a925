// `pgbk --version` against `node -e 0`: what loading pgbk costs.
import { measure, pairs, pgbk, printRatio, readOptions } from './measure.js'

const options = readOptions({ runs: 41 })
const time = async (command) => (await measure(command)).ms

printRatio(
  'pgbk --version against node -e 0',
  await pairs(
    Number(options.runs),
    () => time([...pgbk, '--version']),
    () => time([process.execPath, '-e', '0']),
  ),
  1.6,
)
