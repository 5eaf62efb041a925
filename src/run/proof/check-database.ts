import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../../context.js'
import { bringHome } from '../../postgres/local/checking-extension.js'
import { otherCollationVersions } from '../../postgres/local/collation-versions.js'
import { closedRelations } from '../../postgres/local/prepared-transactions.js'
import { serverFailure } from '../../postgres/local/server-log.js'
import { connectSql, type SqlClient, type SqlTarget } from '../../postgres/local/sql-client.js'
import { wordsOf } from '../../postgres/sql/server-words.js'
import { inParallel } from '../../system/files/in-parallel.js'
import { damage, type Finding, findingOf, isLost, unproven } from './finding.js'
import { badFiles, checkRelation, checkVisibility, inWords, type Relation, relationsOf } from './relations.js'

interface DatabaseCheck {
  target: SqlTarget
  /** Of the copy's server, to know why it has ended a session. */
  log: string
  hasEnded(): boolean
  /** What is different of the C library here, if anything is. */
  libc: string | undefined
}

/**
 * Looks at all tables and indexes of one database of a copy, by amcheck and pg_visibility where they are here; tables are read in any
 * case.
 * @throws the signal's reason when aborted.
 */
export async function checkDatabase(check: DatabaseCheck, context: Context): Promise<Finding[]> {
  const { target } = check
  const subject = { database: target.database }
  const findings: Finding[] = []
  const clients: SqlClient[] = []
  try {
    for (let session = 0; session < sessions; session++) {
      const client = await openSession(check)
      if (!client) return [unproven(subject, 'the server accepts no connection')]
      clients.push(client)
    }
    await checkWith(clients as [SqlClient, ...SqlClient[]], check, context, findings)
  } catch (error) {
    context.signal.throwIfAborted()
    findings.push(isLost(error) ? await lost(check) : findingOf(error, subject))
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
  return findings
}

const sessions = 2

/** A server that has crashed in the database before takes none for a moment. */
async function openSession({ target, hasEnded }: DatabaseCheck): Promise<SqlClient | undefined> {
  for (let waited = 0; ; waited += stepMs) {
    const client = await connectSql(target)
    if (client || hasEnded() || waited > mostWaitMs) return client
    await sleep(stepMs)
  }
}

const stepMs = 50
const mostWaitMs = 20_000

/** Why a session was cut off: its server has crashed, or was told to stop. */
async function lost({ target: { database }, log }: DatabaseCheck): Promise<Finding> {
  for (let waited = 0; ; waited += stepMs) {
    const failure = serverFailure('the server has ended the session', log)
    // Its log says so a moment after the session is gone.
    if (failure.cause !== undefined || waited >= mostSayingMs) return findingOf(failure, { database })
    await sleep(stepMs)
  }
}

const mostSayingMs = 2000

async function checkWith(
  clients: [SqlClient, ...SqlClient[]],
  { target, libc }: DatabaseCheck,
  context: Context,
  findings: Finding[],
): Promise<void> {
  const { database, major } = target
  const [first] = clients
  const amcheck = await have(first, 'amcheck', target, findings)
  const bad = await badFiles(first)
  for (const { what, fault } of bad) findings.push(damage({ database, what }, fault))
  const [relations, closed, others] = [
    await relationsOf(first),
    await closedRelations(first.run),
    await otherCollationVersions(first, major, libc),
  ]
  const open = relations.filter((relation) => {
    const holder = relation.locks.map((oid) => closed.get(oid)).find((one) => one !== undefined)
    if (holder !== undefined)
      findings.push(unproven({ database, what: inWords(relation) }, `${holder} holds a lock on it`))
    return holder === undefined
  })
  const startedAt = context.now().getTime()
  await shared(clients, open, context, async (client, relation) => {
    const subject = { database, what: inWords(relation) }
    try {
      const faults = await checkRelation(client, relation, { amcheck, major })
      findings.push(...faults.map((fault) => damage(subject, fault)))
    } catch (error) {
      if (isLost(error)) throw error
      findings.push(otherOrder(relation, others, error, subject) ?? findingOf(error, subject))
    }
  })
  const took = context.now().getTime() - startedAt
  if (await have(first, 'pg_visibility', target, findings))
    await checkMaps(clients, open, context, { database, findings, mostMs: Math.max(took, leastMs) })
}

/** Whether an extension that checks is there now; that it cannot be installed is not a fault, and tables are read without. */
async function have(
  client: SqlClient,
  name: 'amcheck' | 'pg_visibility',
  { major, database }: SqlTarget,
  findings: Finding[],
): Promise<boolean> {
  try {
    return await bringHome(client, name, major)
  } catch (error) {
    if (isLost(error)) throw error
    findings.push(findingOf(error, { database, what: `extension ${name}` }))
    return false
  }
}

const indexCorrupted = 'XX002'

/** An index in a wrong order may have been in the right one where its collation was of another version. */
function otherOrder(
  { collations }: Relation,
  others: Map<number, string>,
  error: unknown,
  subject: { database: string; what: string },
): Finding | undefined {
  const other = collations.map((oid) => others.get(oid)).find((text) => text !== undefined)
  if (other === undefined || wordsOf(error)?.sqlstate !== indexCorrupted) return undefined
  return unproven(subject, `${other}: whether it is sound cannot be determined here`)
}

/** The visibility map is looked at for as long as the tables took, and at least so long: with very many rows, that is enough. */
const leastMs = 20_000

async function checkMaps(
  clients: [SqlClient, ...SqlClient[]],
  relations: Relation[],
  context: Context,
  { database, findings, mostMs }: { database: string; findings: Finding[]; mostMs: number },
): Promise<void> {
  const endAt = context.now().getTime() + mostMs
  const tables = relations.filter(({ kind }) => kind === 'heap')
  await shared(clients, tables, context, async (client, relation) => {
    if (context.now().getTime() > endAt) return
    const subject = { database, what: inWords(relation) }
    try {
      for (const fault of await checkVisibility(client, relation)) findings.push(damage(subject, fault))
    } catch (error) {
      if (isLost(error)) throw error
      findings.push(findingOf(error, subject))
    }
  })
}

/** Several sessions take one thing after the other. The first failure ends them all. */
async function shared<T>(
  clients: readonly SqlClient[],
  things: readonly T[],
  { signal }: Context,
  work: (client: SqlClient, thing: T) => Promise<void>,
): Promise<void> {
  const idle = [...clients]
  await inParallel(things, clients.length, async (thing) => {
    signal.throwIfAborted()
    const client = idle.pop() as SqlClient
    await work(client, thing)
    idle.push(client)
  })
}
