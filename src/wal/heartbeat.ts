import { type ReceiverState, readReceiverState, writeReceiverState } from '../backup/receiver-state.js'
import type { Context } from '../context.js'
import { messageOf } from '../errors.js'
import { askWalServer, type WalServerFacts } from '../postgres/wal-server.js'
import { pidSpace, startTimeOf } from '../processes.js'
import type { Heartbeat, ReceiveJob } from './reception.js'
import { hasReceived } from './watched-server.js'

export async function openHeartbeat(
  { root, slot }: Pick<ReceiveJob, 'root' | 'slot'>,
  context: Context,
): Promise<Heartbeat> {
  const before = readReceiverState(root)
  const state: ReceiverState = {
    pid: process.pid,
    start_time: startTimeOf(process.pid) ?? null,
    pid_space: pidSpace() ?? null,
    since: context.now().toISOString(),
    updated_at: context.now().toISOString(),
    status: 'waiting-for-server',
    problem: null,
    system_identifier: before?.system_identifier ?? null,
    slot,
    host: null,
    port: null,
    backup: before?.backup ?? null,
    timeline: null,
    received_lsn: null,
    server_lsn: null,
    caught_up_at: null,
    caught_up_lsn: null,
  }
  let hasMet = false
  let asked: WalServerFacts['as_of'] = null
  const write = async (changes: Partial<ReceiverState>, durably: boolean) => {
    Object.assign(state, changes, { updated_at: context.now().toISOString() })
    await writeReceiverState(root, state, { durably })
  }
  /** A heartbeat that cannot be written, on a full disk, is no reason to stop. */
  const beat = async (changes: Partial<ReceiverState>) => {
    try {
      await write(changes, false)
    } catch (error) {
      context.progress.detail(`cannot write ${root.receiverState}: ${messageOf(error)}`)
    }
  }
  const met = ({ system_identifier, host, port, timeline }: WalServerFacts) => {
    hasMet = true
    Object.assign(state, { system_identifier, host, port, timeline })
  }
  await write({}, true)
  return {
    get backup() {
      return state.backup
    },
    get hasMet() {
      return hasMet
    },
    met,
    target: async ({ id }) => {
      if (state.backup === id) return
      asked = null
      await write({ backup: id, received_lsn: null, caught_up_at: null, caught_up_lsn: null }, true)
    },
    beat: (status, problem) => beat({ status, problem }),
    poll: async (psql, status, isHere) => {
      const facts = await askWalServer(psql, slot).catch((error) => {
        context.signal.throwIfAborted()
        context.progress.detail(`cannot ask the server: ${messageOf(error)}`)
        return undefined
      })
      if (!facts) {
        await beat({ status, problem: null })
        return undefined
      }
      met(facts)
      const isReceiving = status === 'receiving' && facts.slot?.active === true
      const received = isReceiving ? { received_lsn: facts.slot?.restart_lsn ?? null } : {}
      const reached = isReceiving
        ? [facts.as_of, asked].find((one) => one && hasReceived(facts, one.lsn) && isHere(one.lsn))
        : undefined
      asked = facts.as_of
      await beat({
        status,
        problem: null,
        server_lsn: facts.lsn,
        ...received,
        ...(reached ? { caught_up_at: reached.time, caught_up_lsn: reached.lsn } : {}),
      })
      return facts
    },
    end: () => beat({ status: 'ended', problem: null }),
  }
}
