import { resolve } from 'node:path'
import type { LocalBackup } from '../../catalog/backup.js'
import { instanceLayout } from '../../catalog/layout.js'
import { formatTime } from '../../text/format.js'
import { printableValues } from '../../text/printable.js'
import { databaseWord, shellWord } from '../../text/shell-word.js'
import type { InstanceRecord } from './instance.js'
import { ownSockets } from './instance-conf.js'

interface InstanceReadme {
  record: InstanceRecord
  backup: LocalBackup
  root: string
  /** Where the instance will be. */
  directory: string
  port: number
  /** The path of `postgres`. */
  postgres: string
}

/** See isShortEnough(). */
const socketElsewhere = `empty: its path is too long for a socket, which is in /tmp
                   instead, for the owner of these files alone`

/** The README of an instance: how to start and reach it without pgbk, what it is, what is switched off. */
export function instanceReadme({ record, backup, root, directory, port, postgres }: InstanceReadme): string {
  const { name, major, role, database } = printableValues(record)
  const title = `THE POSTGRESQL ${major} INSTANCE ${name}`
  const host = resolve(instanceLayout(directory).data, ownSockets(directory))
  const isAtHome = host !== '/tmp'
  const start = `cd ${shellWord(directory)} && ${shellWord(postgres)} -D conf`
  return `${title}
${'='.repeat(title.length)}

A server of its own, restored by pgbk from the backup ${backup.id}
on ${formatTime(record.created_at)}. Once its recovery is over (then data/recovery.signal
is gone), it needs neither pgbk nor the backup.

HOW TO START, REACH AND STOP IT

  ${start}
  psql -h ${shellWord(host)} -p ${port} -U ${shellWord(role)} ${databaseWord(database)}

Ctrl-C stops it. In the background, with its log in log/:

  pgbk instance start ${name} -C ${shellWord(root)}
  pgbk instance stop ${name} -C ${shellWord(root)}

Nothing starts it after a reboot. To have that, put this line into the crontab
of the user whom these files belong to:

  @reboot ${start.replaceAll('%', '\\%')} >>log/postgresql.log 2>&1

WHAT IS WHERE

  conf/            its configuration; conf/original has that of the server that
                   was backed up
  data/            the data directory
  tablespaces/     further tablespaces; data/pg_tblspc links here, by absolute
                   paths: the directory cannot be moved while it has any
  run/             ${isAtHome ? 'its socket, for the owner of these files alone' : socketElsewhere}
  log/             its log
  instance.json    what pgbk knows about it

WHAT IS SWITCHED OFF

So that it cannot harm the server it came from: archiving, replication from
another server, subscriptions of logical replication, preload libraries (and
with them pg_cron and the like). It listens on localhost only. Unlogged tables
are empty. Passwords of roles are those of the server; over the socket in ${isAtHome ? 'run/' : '/tmp'}
the owner of these files needs none.
`
}
