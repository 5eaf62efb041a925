import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { PgbkError } from '../../src/errors.js'
import { readReceiverState } from '../../src/wal-archive/receiver-state.js'
import { keepReceiving } from '../../src/wal-receiver/receive-wal.js'
import { openReceiverReport } from '../../src/wal-receiver/receiver-report.js'
import { aContext } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { until } from '../helpers/traces.js'
import { segmentsIn, twoArchives } from '../wal-archive/archives.js'

/** A receiver that wrote into the older archive, and whose server does not answer any more; until it has asked again. */
async function withoutServer(inOlder: string[], inNewer: string[]) {
  const { root, to, backups } = twoArchives(inOlder, inNewer)
  const program = join(aDirectory(), 'psql')
  writeFileSync(program, '#!/bin/sh\necho "connection refused" >&2\nexit 2\n', { mode: 0o755 })
  const abort = new AbortController()
  const context = aContext({ now: () => new Date(), signal: abort.signal })
  const before = await openReceiverReport({ root, slot: 'pgbk' }, context)
  await before.receiveFor(backups[0])
  const psql = { program, connection: { parameters: {}, env: {} } }
  const job = { root, client: { psql, installations: [] }, slot: 'pgbk', compression: undefined }
  const done = keepReceiving(job, context).catch((error) => error)
  const state = () => readReceiverState(root)
  await until('it has tried', () => state()?.problem?.includes('connection refused') ?? false)
  const first = state()?.updated_at
  await until('it has tried again', () => state()?.updated_at !== first && state()?.status !== 'handing-over')
  abort.abort(new PgbkError('interrupted', 'the end'))
  await done
  return { inNewer: segmentsIn(to), state: state(), ids: backups.map(({ id }) => id) }
}

it('without a server the newer backup takes over what was received after its snapshot', async () => {
  const { inNewer, state, ids } = await withoutServer(['4', '5', '6', '7.partial'], ['5'])
  expect(inNewer).toEqual(['5', '6', '7.partial'])
  expect(state).toMatchObject({ backup: ids[1], status: 'ended' })
})

it('without a server nothing takes over before all of its snapshot has been received', async () => {
  const { inNewer, state, ids } = await withoutServer(['4', '5.partial'], ['5.partial'])
  expect(inNewer).toEqual(['5.partial'])
  expect(state).toMatchObject({ backup: ids[0] })
})
