import { expect, it } from '@jest/globals'
import { isReceivedInto, receiverLeaves } from '../../src/removal/receiver-leaves.js'
import { markOfThisProcess } from '../../src/system/process/process-mark.js'
import { type ReceiverState, writeReceiverState } from '../../src/wal-archive/receiver-state.js'
import { aContext, anEmptyRoot } from '../catalog/samples.js'

const id = '20261120T030000Z'
const gone = new Date('2026-11-20T03:00:00Z')

it('a receiver has left an archive when it has another backup, or says since then that it waits for one', async () => {
  const root = anEmptyRoot()
  const context = aContext({ now: () => gone })
  const { pgbk_pid: pid, pgbk_start_time: start_time, pid_space } = markOfThisProcess()
  const says = async (changes: Partial<ReceiverState>) => {
    const state = {
      pid,
      start_time,
      pid_space,
      since: gone.toISOString(),
      updated_at: gone.toISOString(),
      status: 'receiving',
      slot: 'pgbk',
      backup: id,
    }
    const nothing = {
      problem: null,
      system_identifier: null,
      host: null,
      port: null,
      timeline: null,
      received_lsn: null,
      server_lsn: null,
      caught_up_at: null,
      caught_up_lsn: null,
      handing_over_to: null,
    }
    await writeReceiverState(root, { ...nothing, ...state, ...changes } as ReceiverState)
    return isReceivedInto(root, id, context, gone.getTime())
  }
  const later = '2026-11-20T03:00:01.000Z'
  expect(isReceivedInto(root, id, context)).toBe(false)
  expect(await says({})).toBe(true)
  expect(await says({ updated_at: later })).toBe(true)
  expect(await says({ status: 'waiting-for-backup' })).toBe(true)
  expect(await says({ backup: '20261121T030000Z' })).toBe(false)
  expect(await says({ status: 'ended' })).toBe(false)
  expect(await says({ status: 'waiting-for-backup', updated_at: later })).toBe(false)
  await says({})
  const left = receiverLeaves(root, id, context)
  await says({ status: 'waiting-for-backup', updated_at: later })
  expect(await left).toBe(true)
})
