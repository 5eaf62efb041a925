import { shellWord } from '../shell-word.js'
import { majorOf, type RecordDraft } from './record.js'

/** The README of a snapshot, for someone who has never heard of pgbk. */
export function snapshotReadme(record: RecordDraft): string {
  const major = majorOf(record)
  return [
    intro(record, major),
    contents(record),
    start(record, major),
    afterStart(record),
    switchedOff(record),
    needs(record, major),
    copyFirst(record),
    moment(record),
    container(record, major),
    newerMajor(record, major),
  ].join('\n\n')
}

function intro(
  { id, server, started_at, finished_at, stop_lsn, label, data_checksums }: RecordDraft,
  major: number,
): string {
  const name = server.cluster_name ? `"${server.cluster_name}" ` : ''
  return `A PostgreSQL ${major} DATABASE CLUSTER
${'='.repeat(`A PostgreSQL ${major} DATABASE CLUSTER`.length)}

This directory is a complete, physical copy of a PostgreSQL server ${name}on
${server.host} port ${server.port}. PostgreSQL opens it as it is; no other software is needed.

Backup           ${id}${label === null ? '' : `, "${label}"`}
Copied           ${readable(started_at)} to ${readable(finished_at)}; the data is that of the
                 end of the copying, WAL position ${stop_lsn}
Server version   ${server.version}
Built as         ${server.version_string}
Checksums        ${data_checksums ? 'on' : 'off'}`
}

function contents({ tablespaces }: RecordDraft): string {
  const spaces = tablespaces.map(
    ({ oid, name, location }) => `                   ${oid} is "${name}", on the server at ${location}`,
  )
  return `WHAT IS WHERE

  data/            the data directory
  tablespaces/     the other tablespaces; data/pg_tblspc links here${spaces.length > 0 ? `\n${spaces.join('\n')}` : ' (there were none)'}
  conf/            a configuration that starts on any machine
  conf/original/   the server's own configuration files, as far as they could be read
  ../wal/          the write-ahead log (WAL) from the start of this copy on
  ../backup.json   everything about this backup, for programs`
}

function start({ superuser }: RecordDraft, major: number): string {
  return `HOW TO START IT

You need the programs of PostgreSQL ${major} (any ${major}.x), and the files must belong to you: PostgreSQL
does not run as root and wants the directory's owner to start it. In this directory (the one with
this README) type

  postgres -D conf

and in another terminal

  psql -h /tmp -p 5432 -U ${shellWord(superuser)} postgres

Ctrl-C in the first terminal stops the server.

  "command not found": the program is often outside of PATH. Debian and Ubuntu have it as
  /usr/lib/postgresql/${major}/bin/postgres, RHEL as /usr/pgsql-${major}/bin/postgres.

  "could not bind ... Address already in use": another server has port 5432. Choose another port:
  postgres -D conf -p 5433     then     psql -h /tmp -p 5433 -U ${shellWord(superuser)} postgres

  "data directory ... has wrong ownership": chown -R it to yourself, or copy it.

  "invalid value for parameter": delete that line from conf/postgresql.conf; the machine lacks
  something that the server had (a time zone, for example).`
}

function afterStart({ databases, superuser }: RecordDraft): string {
  const names = databases.map(({ name }) => name).filter((name) => !/^template[01]$/.test(name))
  return `WHAT STARTING IT HERE DOES

The server recovers the copy to a consistent state and then works on it like on any database: this
directory is changed and used up. It will no longer pass pg_verifybackup, and it can no longer be
taken to a moment with the WAL archive. That is what a copy is for; if this is the only one, copy it
first (see below).

Databases: ${names.join(', ')}
The superuser is ${superuser}. Over the socket in /tmp no password is asked, because only the
operating-system user who started the server gets in; over TCP (localhost only) every role needs the
password that it has on the server.`
}

function switchedOff({ preload_libraries }: RecordDraft): string {
  const libraries = preload_libraries === null ? 'unknown' : preload_libraries.join(', ') || 'none'
  return `WHAT IS SWITCHED OFF, AND WHY

So that a copy can never touch the server it came from: archiving, replication (primary_conninfo,
slots, standby mode), subscriptions of logical replication. So that it starts on any machine: preload
libraries (the server had: ${libraries}), TLS, huge pages, message language; shared_buffers is 128MB.
The server's ALTER SYSTEM settings are in conf/original/postgresql.auto.conf and have no effect here.
Unlogged tables are empty: PostgreSQL never copies their contents.`
}

function needs({ extensions, databases, server }: RecordDraft, major: number): string {
  const names = [...new Set(extensions.map(({ name, version }) => `${name} ${version}`))]
  const locales = new Map(
    databases.map(({ name, locale, locale_provider }) => [`${locale} (${locale_provider})`, name]),
  )
  return `WHAT IT NEEDS

Extensions:  ${names.join(', ') || 'none beyond plpgsql, or they could not be read'}
             (their libraries are needed when they are used, not for the start)
Locales:     ${[...locales.keys()].join(', ')}
             (a database whose locale this machine lacks refuses connections: install the locale)

Text is sorted by the operating system's libraries${server.libc_version === null ? '' : ` (on the server: libc ${server.libc_version})`}. With other versions of them an index on
text can be in a wrong order: if PostgreSQL ${major} warns of a collation version mismatch, REINDEX.`
}

function copyFirst({ id }: RecordDraft): string {
  return `HOW TO COPY IT FIRST

Nothing in here depends on the place. From outside of the backup directory:

  cp -a ${id} /somewhere/else/

and start that one. To see whether a copy is unharmed, before it was ever started:

  cd snapshot && pg_verifybackup data`
}

function moment({ superuser, finished_at }: RecordDraft): string {
  return `HOW TO GO TO A MOMENT AFTER THE COPY

As far as ../wal reaches, the database can be taken to any moment after the end of this copy
(${finished_at}). In a copy of the whole backup directory, that was never started:

  touch data/recovery.signal
  postgres -D conf -c recovery_target_time='2026-11-20 15:03:00+00' -c recovery_target_action=promote

Without recovery_target_time all the WAL that is there is replayed. PostgreSQL stops with an error if
the WAL does not reach that far. A segment named *.partial is the newest one and not complete; it is
replayed after it is renamed to its name without .partial. Then connect as above
(psql -h /tmp -p 5432 -U ${shellWord(superuser)} postgres).`
}

function container({ superuser }: RecordDraft, major: number): string {
  return `IN A CONTAINER

With the official image. The files must belong to the user in the container, so give it your own:

  docker run --rm -it --user "$(id -u):$(id -g)" -p 127.0.0.1:5432:5432 \\
    -v "$PWD/..:/backup" -w /backup/snapshot postgres:${major} \\
    postgres -D conf -c listen_addresses='*'

and inside of it (docker exec): psql -h /tmp -U ${shellWord(superuser)} postgres. From outside, conf/pg_hba.conf needs a
line for the address that you come from:  host  all  all  172.16.0.0/12  md5`
}

function newerMajor({ superuser }: RecordDraft, major: number): string {
  return `INTO A NEWER MAJOR VERSION

Only PostgreSQL ${major} opens this directory. Start it as above, then with the programs of the newer one:

  pg_dumpall -h /tmp -p 5432 -U ${shellWord(superuser)} | psql -h /tmp -p 5433 -U postgres postgres
`
}

/** `2026-11-20 03:00:12 UTC` */
function readable(time: string): string {
  return time.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')
}
