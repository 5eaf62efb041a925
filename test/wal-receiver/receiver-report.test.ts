import { readFileSync, writeFileSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { isReceiverAlive, readReceiverState } from '../../src/wal-archive/receiver-state.js'
import { openReceiverReport } from '../../src/wal-receiver/receiver-report.js'
import { aBackup, aContext, anEmptyRoot, thrownBy } from '../catalog/samples.js'
import { until } from '../helpers/traces.js'

async function aReport() {
  const root = anEmptyRoot()
  aBackup(root, '20261121T030000Z')
  const [backup] = readCatalog(root.root).backups
  if (!backup) throw new Error('no backup')
  const receiverReport = await openReceiverReport({ root, slot: 'pgbk' }, aContext({ now: () => new Date() }))
  return { root, backup, receiverReport, state: () => readReceiverState(root) }
}

it('the report of a receiver tells of a hand-over, goes on meanwhile, and forgets it with the next', async () => {
  const { backup, receiverReport, state } = await aReport()
  let end = (_result: string) => {}
  const work = new Promise<string>((resolve) => {
    end = resolve
  })
  const done = receiverReport.handOver(backup, () => work)
  await until('it tells', () => state()?.status === 'handing-over')
  const first = state()
  expect(first).toMatchObject({ handing_over_to: backup.id, backup: null, problem: null })
  expect(first && isReceiverAlive(first, new Date())).toBe(true)
  await until('it is written again', () => state()?.updated_at !== first?.updated_at)
  expect(state()?.status).toBe('handing-over')
  end('copied')
  expect(await done).toBe('copied')
  await receiverReport.update('waiting-for-server', null)
  expect(state()).toMatchObject({ status: 'waiting-for-server', handing_over_to: null })
})

it('a hand-over that fails does so for whoever waits for it', async () => {
  const { backup, receiverReport } = await aReport()
  const fault = Object.assign(new Error('no room'), { code: 'ENOSPC' })
  expect(await thrownBy(() => receiverReport.handOver(backup, () => Promise.reject(fault)))).toBe(fault)
})

it('the state of a receiver that knew of no hand-over is read', async () => {
  const { root, state } = await aReport()
  const { handing_over_to: _none, ...old } = JSON.parse(readFileSync(root.receiverState, 'utf8'))
  writeFileSync(root.receiverState, JSON.stringify(old))
  expect(state()).toEqual({ ...old, handing_over_to: null })
})
