import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isoTime, text } from '../../catalog/entries/record-fields.js'
import { type InstanceLayout, instanceLayout, rootLayout } from '../../catalog/layout.js'
import { messageOf, PgbkError } from '../../errors.js'
import { isInProduction } from '../../postgres/local/control-file.js'
import { type Postmaster, readPostmaster } from '../../postgres/local/running.js'
import { isShortEnough } from '../../postgres/local/sockets.js'
import { v } from '../../schema.js'
import { needNote } from '../../system/files/read-note.js'
import { mostBytes, readSmallText } from '../../system/files/read-small.js'
import { namesIn } from '../../system/paths/names-in.js'
import { portIn, socketsIn } from './instance-conf.js'

/** `recovering`: it replays WAL; `not recovered`: it was stopped before that was done. */
type InstanceState = 'running' | 'starting' | 'stopping' | 'recovering' | 'stopped' | 'not recovered'

/** A lasting server that was restored from a backup. */
export interface Instance {
  name: string
  layout: InstanceLayout
  record: InstanceRecord
  state: InstanceState
  /** The port in its configuration. */
  port: number
  /** The directory of its socket; "" where it has none. */
  sockets: string
  /** What clients are told: that directory; localhost where it has no socket, or somebody has led it to too long a path. */
  host: string
  pid: number | undefined
  /** Whom its files belong to. */
  uid: number
  gid: number
}

/** @param sockets the directory of a server's socket; "" where it has none. */
function hostOf(sockets: string): string {
  return sockets !== '' && isShortEnough(sockets) ? sockets : 'localhost'
}

/** What was expected to be an instance, and why it is none. */
export interface NotAnInstance {
  name: string
  reason: string
}

interface InstanceCatalog {
  instances: Instance[]
  rejected: NotAnInstance[]
}

/** All instances of a root, newest first; their states are found out from the system. */
export function readInstances(root: string): InstanceCatalog {
  const catalog: InstanceCatalog = { instances: [], rejected: [] }
  const { instances } = rootLayout(root)
  for (const name of namesIn(instances).filter((one) => !one.startsWith('.'))) {
    try {
      catalog.instances.push(readInstance(join(instances, name), name))
    } catch (error) {
      catalog.rejected.push({ name, reason: messageOf(error) })
    }
  }
  const age = ({ record }: Instance) => Date.parse(record.created_at)
  catalog.instances.sort((a, b) => age(b) - age(a))
  return catalog
}

/** @throws {PgbkError} `damaged`, or a system error, when it is not an instance. */
export function readInstance(directory: string, name: string): Instance {
  const layout = instanceLayout(directory)
  if (existsSync(layout.marker))
    throw new PgbkError('damaged', 'its deletion has begun, and not ended', {
      hint: 'The next restore or instance delete removes the rest.',
    })
  const record = readInstanceRecord(layout.record)
  const postmaster = readPostmaster(layout.data)
  const { uid, gid } = statSync(layout.data)
  const conf = readSmallText(layout.postgresqlConf, mostBytes.conf)
  const port = portIn(conf)
  const sockets = socketsIn(conf, layout.data)
  const host = hostOf(sockets)
  const state = stateOf(layout, postmaster)
  return { name, layout, record, state, port, sockets, host, pid: postmaster?.pid, uid, gid }
}

/**
 * Whether an instance has still to replay WAL of its backup, whatever its server does now: PostgreSQL removes recovery.signal when
 * recovery is over (src/backend/access/transam/xlog.c).
 */
export function hasToReplay({ data }: Pick<InstanceLayout, 'data'>): boolean {
  return existsSync(join(data, 'recovery.signal'))
}

function stateOf(layout: InstanceLayout, postmaster: Postmaster | undefined): InstanceState {
  const recovering = hasToReplay(layout)
  if (postmaster === undefined) return recovering ? 'not recovered' : 'stopped'
  if (postmaster.status === 'stopping') return 'stopping'
  if (postmaster.status === 'ready' && isInProduction(layout.data)) return 'running'
  return recovering ? 'recovering' : 'starting'
}

/** @throws {PgbkError} `not-found`. */
export function findInstance(root: string, name: string): Instance {
  const { instances, rejected } = readInstances(root)
  const instance = instances.find((one) => one.name === name)
  if (instance) return instance
  const none = rejected.find((one) => one.name === name)
  if (none) throw new PgbkError('not-found', `${name} is not an instance: ${none.reason}`)
  const names = instances.map((one) => `  ${one.name}`).join('\n')
  throw new PgbkError('not-found', `there is no instance ${JSON.stringify(name)} in ${root}`, {
    hint: names ? `There are:\n${names}` : 'There is none yet; pgbk restore makes one.',
  })
}

/** The format of instance.json that this pgbk writes, and the highest that it reads. */
export const instanceFormat = 1

const schema = v.object({
  format: v.literal(instanceFormat, `must be ${instanceFormat}: update pgbk to work with this instance`),
  name: text,
  backup: text,
  created_at: isoTime,
  server_version: text,
  major: v.pipe(v.number(), v.integer()),
  role: text,
  database: text,
})

/** instance.json: what does not change in the life of an instance. docs/format.md explains every field. */
export type InstanceRecord = v.InferOutput<typeof schema>

/** @throws {PgbkError} `damaged`; a system error when it cannot be read. */
export function readInstanceRecord(path: string): InstanceRecord {
  return needNote(schema, path)
}
