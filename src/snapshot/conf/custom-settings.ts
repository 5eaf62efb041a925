/** What guc-file.l takes for a name with a dot; bytes above 127 are letters. */
const ordinary = /^[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*\.[A-Za-z_\x80-\xff][A-Za-z_0-9\x80-\xff]*$/

/** Whether a name, as latin1, is that of a setting of somebody's own (`app.tenant`). */
export function isOrdinaryCustomName(name: string): boolean {
  return ordinary.test(name)
}

/**
 * What stands before the dot of settings that belong to a library, and make it run programs or code, load files or reach other
 * machines, as soon as it is loaded: that of a language by the first call of one of its functions.
 */
const ofLibraries = new Set(
  `plperl plperlu pltcl pltclu plpython plpython2u plpython3u plv8 plcoffee plls plr pljava plrust pllua plphp plsh pldotnet pgsodium
  vault pg_tde pgtde pg_tle pgtle session_exec extwlist cron pg_cron pg_net pg_partman_bgw pg_timetable pglogical bdr spock pgactive pg_failover_slots pg_dbms_job citus
  timescaledb basic_archive sepgsql postgis aws_s3 duckdb pgml`.split(/\s+/),
)

/** pgbk's own: by them it knows its servers. */
const ofPgbk = 'pgbk'

/** Whether a setting is one of the applications' own: nothing that pgbk starts does anything because of its value. */
export function isHarmlessCustomSetting(name: string): boolean {
  const [prefix = ''] = name.toLowerCase().split('.')
  return isOrdinaryCustomName(name) && prefix !== ofPgbk && !ofLibraries.has(prefix)
}
