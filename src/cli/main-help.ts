/** What `pgbk --help` says after the list of commands. */
export const mainHelp = `
A backup is a directory data/backup/<id>/ under the root. Its snapshot/ is a
database cluster that PostgreSQL starts as it is; the README in it says how.

Examples:
  pgbk create                          back up the server that psql would reach
  pgbk create -h db1 -U backup -C /srv/pg --label "before the upgrade"
  pgbk list                            what there is
  pgbk show                            everything about the newest backup
  pgbk local-run                       a throw-away server on the newest
  pgbk local-run -- psql -c 'select now()'
  pgbk local-run --to-time "10 minutes ago"
  pgbk download latest --from postgres@db1:/srv/pg
  pgbk restore                         a lasting server from the newest
  pgbk verify --prove                  does it really work?
  pgbk delete 20261120T030000Z         remove one

Configuration:
  --config FILE, else the first of .pgbkrc, .pgbkrc.yaml and .pgbkrc.json from
  the current directory upward, in $XDG_CONFIG_HOME/pgbk/ and in /etc/pgbk/.
  Options beat PGBK_* variables (PGBK_ROOT, PGBK_CONNECTION ...), those beat the
  file. PGHOST, PGPORT, PGUSER, PGPASSFILE, PGSERVICE ... work as in psql.

Exit status:
  0  done                            6  a check failed
  1  failed                          7  no fault found, but not proven either
  2  wrong usage or configuration    129  the terminal was closed (SIGHUP)
  3  no such backup or instance      130  interrupted (SIGINT)
  4  another pgbk holds the lock     143  terminated (SIGTERM)
  5  the server cannot be reached or refuses
`
