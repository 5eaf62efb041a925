import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context.js'
import { messageOf } from '../errors.js'
import type { Psql } from '../postgres/connection/psql.js'
import { askWalServer, type WalServerFacts } from '../postgres/server/wal-server.js'
import { markOfThisProcess } from '../system/process/process-mark.js'
import { type ReceiverState, readReceiverState, writeReceiverState } from '../wal-archive/receiver-state.js'
import type { ReceiverOptions, ReceiverReport, ServerAnswer } from './receiver-session.js'
import { hasReceived } from './watched-server.js'

const updateTicks = 2

/** Goes on from what an earlier receiver has left. */
export async function openReceiverReport(
  { root, slot }: Pick<ReceiverOptions, 'root' | 'slot'>,
  context: Context,
): Promise<ReceiverReport> {
  const state = initialState(readReceiverState(root), slot, context)
  let hasAnswered = false
  let asked: WalServerFacts['as_of'] = null
  const write = async (changes: Partial<ReceiverState>) => {
    Object.assign(state, changes, { updated_at: context.now().toISOString() })
    await writeReceiverState(root, state)
  }
  /** A report that cannot be written, on a full disk, is not a reason to stop. */
  const update = async (changes: Partial<ReceiverState>) => {
    try {
      await write(changes)
    } catch (error) {
      context.progress.detail(`cannot write ${root.receiverState}: ${messageOf(error)}`)
    }
  }
  const noteServer = ({ system_identifier, host, port, timeline, lsn }: WalServerFacts) => {
    hasAnswered = true
    Object.assign(state, { system_identifier, host, port, timeline, server_lsn: lsn })
  }
  await update({})
  return {
    get backup() {
      return state.backup
    },
    get hasAnswered() {
      return hasAnswered
    },
    noteServer,
    receiveFor: async ({ id }) => {
      if (state.backup === id) return
      asked = null
      await write({ backup: id, received_lsn: null, caught_up_at: null, caught_up_lsn: null })
    },
    update: (status, problem) => update({ status, problem, handing_over_to: null }),
    handOver: async (to, work) => {
      const done = work()
      done.catch(() => {}) // it may fail while the report is written, and is asked for its end only then
      do await update({ status: 'handing-over', problem: null, handing_over_to: to.id })
      while (!(await endsWithin(updateTicks * context.tickMs, done)))
      return done
    },
    poll: async (psql, status, isHere) => {
      const answer = await tryToAsk(psql, slot, context)
      const { facts, silence } = answer
      if (facts) noteServer(facts)
      const reached = facts ? received(facts, asked, isHere) : {}
      await update({ status, problem: silence, handing_over_to: null, ...reached })
      asked = facts?.as_of ?? asked
      return answer
    },
    end: () => update({ status: 'ended', problem: null, handing_over_to: null }),
  }
}

async function endsWithin(ms: number, work: Promise<unknown>): Promise<boolean> {
  return Promise.race([work.then(() => true), sleep(ms, false, { ref: false })])
}

function initialState(before: ReceiverState | undefined, slot: string, { now }: Context): ReceiverState {
  const time = now().toISOString()
  const { pgbk_pid, pgbk_start_time, pid_space } = markOfThisProcess()
  return {
    pid: pgbk_pid,
    start_time: pgbk_start_time,
    pid_space,
    since: time,
    updated_at: time,
    status: 'waiting-for-server',
    problem: null,
    system_identifier: before?.system_identifier ?? null,
    slot,
    host: null,
    port: null,
    backup: before?.backup ?? null,
    handing_over_to: null,
    timeline: null,
    received_lsn: null,
    server_lsn: null,
    caught_up_at: before?.caught_up_at ?? null,
    caught_up_lsn: before?.caught_up_lsn ?? null,
  }
}

async function tryToAsk(psql: Psql, slot: string, { signal }: Context): Promise<ServerAnswer> {
  try {
    return { facts: await askWalServer(psql, slot), silence: null }
  } catch (error) {
    signal.throwIfAborted()
    return { facts: undefined, silence: `cannot ask the server: ${messageOf(error)}` }
  }
}

/** What an answer tells of the receiver: by now it may have what the server had now, or when it was asked before. */
function received(
  facts: WalServerFacts,
  asked: WalServerFacts['as_of'],
  isHere: (lsn: string) => boolean,
): Partial<ReceiverState> {
  const lsn = facts.slot?.active === true ? facts.slot.restart_lsn : null
  if (lsn === null || !isHere(lsn)) return {}
  const reached = [facts.as_of, asked].find((one) => one && hasReceived(facts, one.lsn) && isHere(one.lsn))
  return { received_lsn: lsn, ...(reached ? { caught_up_at: reached.time, caught_up_lsn: reached.lsn } : {}) }
}
