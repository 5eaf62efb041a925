import { windowStart } from '../catalog/data-time.js'
import { majorOf, type RecordDraft, snapshotEnd } from '../catalog/record.js'
import { canBeOpened, isSayable } from '../catalog/recorded-database.js'
import { formatTime } from '../text/format.js'
import { printableValues } from '../text/printable.js'
import { databaseWord, shellWord } from '../text/shell-word.js'

/** The README of a snapshot, for someone who has never heard of pgbk. Lines of at most 80 columns, where names allow it. */
export function snapshotReadme(draft: RecordDraft): string {
  // Names with line breaks would forge lines of it, and others what a terminal shows.
  const record = printableValues(draft)
  const sections = [
    intro(record),
    contents(record),
    start(record),
    afterStart(record),
    switchedOff(record),
    needs(record),
    copyFirst(record),
    moment(record),
    container(record),
    newerMajor(record),
  ]
  return `${sections.join('\n\n')}\n`
}

function intro(record: RecordDraft): string {
  const { id, server, label } = record
  const title = `A POSTGRESQL ${majorOf(record)} DATABASE CLUSTER`
  const name = server.cluster_name ? `${server.cluster_name}, ` : ''
  return `${title}
${'='.repeat(title.length)}

This directory is a complete physical copy of a PostgreSQL server. PostgreSQL
opens it as it is; no other software is needed.

Server       ${name}${server.host} port ${server.port}
Version      ${server.version}
Platform     ${server.version_string}
Checksums    ${record.data_checksums ? 'on' : 'off'}
Backup       ${id}${label === null ? '' : `, "${label}"`}
Copied       ${formatTime(record.started_at)} to ${formatTime(record.finished_at)}
             (the data is that of ${record.standby ? `${formatTime(snapshotEnd(record))}: the server was a standby` : 'the end of the copying'}, WAL ${record.stop_lsn})`
}

function contents({ tablespaces }: RecordDraft): string {
  const spaces = tablespaces.map(
    ({ oid, name, location }) => `                   ${oid} is "${name}", on the server at ${location}`,
  )
  return `WHAT IS WHERE

  data/            the data directory
  tablespaces/     further tablespaces; data/pg_tblspc links here
${spaces.length > 0 ? spaces.join('\n') : '                   (there were none)'}
  conf/            a configuration that starts on any machine
  conf/original/   the server's own configuration files, as far as they could
                   be read
  ../wal/          the write-ahead log (WAL) from the start of this copy on
  ../backup.json   everything about this backup, for programs`
}

function start(record: RecordDraft): string {
  const major = majorOf(record)
  return `HOW TO START IT

You need the programs of PostgreSQL ${major} (any ${major}.x), and the files must belong
to you: PostgreSQL does not run as root. In the directory of this README type

  postgres -D conf

and in another terminal

  ${psqlLine(record, 5432)}

Ctrl-C in the first terminal stops the server. If it does not start:

  "command not found": the program is often outside of PATH. Debian and Ubuntu
  have it as /usr/lib/postgresql/${major}/bin/postgres, RHEL as
  /usr/pgsql-${major}/bin/postgres.

  "Address already in use": another server has port 5432. Choose another port:
    postgres -D conf -p 5433
    ${psqlLine(record, 5433)}

  "data directory ... has wrong ownership": it belongs to somebody else; copy it,
  or give it to yourself with chown -R.

  "invalid value for parameter": delete that line from conf/postgresql.conf; this
  machine lacks something that the server had.${zoneLines(record)}`
}

/** Not in the configuration: a server does not start with a zone that its machine does not know. */
function zoneLines({ server: { time_zone: zone } }: RecordDraft): string {
  if (zone === undefined) return ''
  return `

Times are shown in GMT. With the time zone of the server, if this machine knows
it (Debian, Ubuntu: packages tzdata, tzdata-legacy):

  postgres -D conf -c TimeZone=${shellWord(zone)}`
}

function afterStart({ databases, superuser }: RecordDraft): string {
  const names = databases
    .filter(({ name }) => !/^template[01]$/.test(name))
    .map((database) => (canBeOpened(database) ? database.name : `${database.name} (nobody can connect)`))
  return `WHAT STARTING IT HERE DOES

The server recovers the copy to a consistent state and then works on it like on
any database: this directory is changed and used up. It no longer passes
pg_verifybackup, and it can no longer be taken to a moment with the WAL archive.
That is what a copy is for. If this is the only one, copy it first (see below).

Databases:  ${names.join(', ')}
Superuser:  ${superuser}

Over the socket in /tmp no password is asked, because only the operating-system
user who started the server gets in. Over TCP (localhost only) every role needs
the password that it has on the server.`
}

function switchedOff({ preload_libraries, server }: RecordDraft): string {
  const libraries = preload_libraries === null ? 'unknown' : preload_libraries.join(', ') || 'none'
  return `WHAT IS SWITCHED OFF, AND WHY

So that a copy never touches the server it came from: archiving, replication
(standby mode, primary_conninfo, slots), subscriptions of logical replication.

So that it starts on any machine: preload libraries (the server had: ${libraries}),
TLS, huge pages, the language of messages; shared_buffers is 128MB. The server's
ALTER SYSTEM settings have no effect here; they are in
conf/original/postgresql.auto.conf.

Unlogged tables are empty: PostgreSQL never copies their contents.${
    libraries !== 'none' && server.version_num >= 150_000 ? ownWal : ''
  }`
}

/** See RmgrNotFound() in src/backend/access/transam/rmgr.c. */
const ownWal = `

If the start ends with "resource manager with ID ... not registered", one of those
libraries writes WAL of its own, and is needed from the start on. Where it is
installed:

  postgres -D conf -c shared_preload_libraries=NAME`

function needs(record: RecordDraft): string {
  const { extensions, databases, server } = record
  const names = [...new Set(extensions.map(({ name, version }) => `${name} ${version}`))]
  const locales = new Set(databases.map(({ locale, locale_provider }) => `${locale} (${locale_provider})`))
  const libc = server.libc_version === null ? '' : `\n(on the server: libc ${server.libc_version})`
  return `WHAT IT NEEDS

Extensions:  ${names.join(', ') || 'none but plpgsql, as far as could be read'}
             (their libraries are needed when they are used, not for the start)
Locales:     ${[...locales].join(', ')}
             (a database whose locale is missing here refuses connections)

Text is sorted by the operating system's libraries${libc}. With
other versions of them an index on text can be in a wrong order: if PostgreSQL
warns of a collation version mismatch, REINDEX.`
}

function copyFirst({ id }: RecordDraft): string {
  return `HOW TO COPY IT FIRST

Nothing in here depends on the place. From outside of the backup directory:

  cp -a ${id} /somewhere/else

and start that one. To see whether a copy that was never started is unharmed:

  cd snapshot && pg_verifybackup data`
}

function moment(record: RecordDraft): string {
  return `HOW TO GO TO A MOMENT AFTER THE COPY

As far as ../wal reaches, the database can be taken to any moment after
${formatTime(windowStart(record))}. In a copy of the whole backup directory (../wal
included) that was never started:

  touch data/recovery.signal
  postgres -D conf -c recovery_target_action=promote \\
    -c recovery_target_time='2026-11-20 15:03:00+00'

Without recovery_target_time all the WAL that is there is replayed. PostgreSQL
stops with an error if the WAL does not reach that far. A segment named *.partial
is the newest and not complete; rename it to its name without .partial to have it
replayed too; those named *.gz and *.zst are unpacked by the programs gzip and
zstd, which have to be there. Later backups of the same server, which lie beside this one, have
the WAL after that in their wal/. To go there, take it along before the start,
with the place of these backups for BACKUPS:

  cp -n BACKUPS/2*/wal/[0-9A-F]* ../wal/

Then connect as above:

  ${psqlLine(record, 5432)}`
}

function container(record: RecordDraft): string {
  return `IN A CONTAINER

With the official image. PostgreSQL must run as the owner of the files, here you:

  docker run --rm -it --name copy --user "$(id -u):$(id -g)" \\
    -v "$PWD/..:/backup" -w /backup/snapshot postgres:${majorOf(record)} postgres -D conf

  docker exec -it copy ${psqlLine(record, 5432)}`
}

function newerMajor(record: RecordDraft): string {
  const major = majorOf(record)
  return `INTO A NEWER MAJOR VERSION

Only PostgreSQL ${major} opens this directory. Start it as above, and with the programs
of the newer one copy everything into a server of that version (here port 5433):

  pg_dumpall -h /tmp -p 5432 -U ${shellWord(record.superuser)} | psql -p 5433 postgres`
}

/** `postgres` may have been dropped on the server. */
function psqlLine({ superuser, databases }: RecordDraft, port: number): string {
  const names = databases
    .filter((database) => canBeOpened(database) && isSayable(database))
    .map(({ name }) => name)
  const database = names.includes('postgres')
    ? 'postgres'
    : (names.find((name) => !/^template[01]$/.test(name)) ?? 'template1')
  return `psql -h /tmp -p ${port} -U ${shellWord(superuser)} ${databaseWord(database)}`
}
