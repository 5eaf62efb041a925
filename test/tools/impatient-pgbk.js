// pgbk, whose receiver looks again after a fraction of the time (`tickMs` of src/context.ts).
import { fileURLToPath } from 'node:url'
import { run } from '../../dist/pgbk.cjs'

process.argv[1] = fileURLToPath(new URL('../../bin/pgbk.js', import.meta.url))
await run({ tickMs: 50 })
