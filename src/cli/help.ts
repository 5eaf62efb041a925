/** What the help texts say after the list of options. */

export const mainHelp = `
A backup is a directory data/backup/<id>/ under the root. Its snapshot/ is a
database cluster that PostgreSQL starts as it is; the README in it says how.

Examples:
  pgbk create                          back up the server that psql would reach
  pgbk create -h db1 -U backup -C /srv/pg --label "before the upgrade"
  pgbk list                            what there is
  pgbk show latest                     everything about the newest backup
  pgbk local-run                       a throw-away server on the newest
  pgbk local-run -- psql -c 'select now()'
  pgbk delete 20261120T030000Z         remove one

Configuration:
  --config FILE, else the first of .pgbkrc, .pgbkrc.yaml and .pgbkrc.json from
  the current directory upward, in $XDG_CONFIG_HOME/pgbk/ and in /etc/pgbk/.
  Options beat PGBK_* variables (PGBK_ROOT, PGBK_CONNECTION ...), those beat the
  file. PGHOST, PGPORT, PGUSER, PGPASSFILE, PGSERVICE ... work as in psql.

Exit status:
  0  done                            5  the server cannot be reached or refuses
  1  failed                          6  a check failed
  2  wrong usage or configuration    130  interrupted (SIGINT)
  3  no such backup                  143  terminated (SIGTERM)
  4  another pgbk holds the lock     129  the terminal was closed (SIGHUP)
`

export const createHelp = `
Runs pg_basebackup and writes data/backup/<id>/: the snapshot, its
configuration, and the WAL that belongs to it, checked by pg_verifybackup. It is
listed only when it is whole; one that fails or is interrupted leaves nothing.

The role needs LOGIN and REPLICATION and a "replication" line in pg_hba.conf,
the server two free WAL senders. With more rights (a superuser, or pg_monitor
and pg_read_server_files and EXECUTE on pg_read_file(text)) the server's own
configuration files come too. Passwords come from ~/.pgpass, PGPASSWORD, a
service file, or the connection string.

Started by root, pgbk works as the user run_as (default: postgres).

Examples:
  pgbk create
  pgbk create --label "before the upgrade to 4.2"
  pgbk create -h db1 -p 5432 -U backup -C /srv/backups/db1
  pgbk create -d "postgresql://backup@db1/app?sslmode=verify-full"
  pgbk create --scheduled --quiet --max-rate 50M     (for cron)
`

export const listHelp = `
Newest first. State is "whole", or "used" when a server was started inside the
snapshot. Directories that are no whole backups are named on standard error.

Examples:
  pgbk list
  pgbk list -C /srv/backups/db1
  pgbk list --json | jq -r '.backups[0].id'
`

export const showHelp = `
Examples:
  pgbk show latest
  pgbk show 20261120
  pgbk show latest --json | jq .backup.databases
`

export const deleteHelp = `
On a terminal it asks first (unless --yes). Elsewhere it takes only whole ids,
and does not ask. The last whole backup goes only with --last.

Examples:
  pgbk delete 20261120T030000Z
  pgbk delete oldest
  pgbk delete --yes 20261118T030000Z 20261119T030000Z
`

export const demoHelp = `
Starts a PostgreSQL server of its own with a little sample data, backs it up,
opens the backup, and shows every command with its real output. It uses a
temporary directory, and leaves nothing behind. Needs PostgreSQL's server
programs.
`

export const localRunHelp = `
Starts PostgreSQL on a working copy of the backup: at once and without a copy
where an overlay or reflinks can be had, whatever its size. The backup is never
changed, what the server writes is thrown away at the end, and neither the server
nor COMMAND can reach the server that was backed up by accident.

Without COMMAND it runs until Ctrl-C. With one, it ends when COMMAND ends, and
passes its exit status on. COMMAND gets PGHOST, PGPORT, PGUSER, PGDATABASE,
PGPASSWORD and DATABASE_URL of the run, and no other PG* variable.

Examples:
  pgbk local-run
  pgbk local-run 20261120 --psql
  pgbk local-run -- npm test
  pgbk local-run latest -- pg_dump -t orders app > orders.sql
  pgbk local-run --sql mask-personal-data.sql --detach
`

export const instanceHelp = `
Examples:
  pgbk local-run --detach
  pgbk instance list
  pgbk instance stop 20261120T030000Z-1
`
