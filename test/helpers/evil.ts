import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { aDirectory } from './places.js'
import type { TestServer } from './server.js'

/** A server whose databases are full of traps, and what fell into them. */
export interface EvilServer {
  /** `DATA-DIRECTORY WHAT`: what code of the databases was called with a superuser's rights, and on which server. */
  called(): string[]
}

/**
 * Puts into every database what could be taken for something of PostgreSQL's own: functions, relations, operators and casts that
 * leave a note when they are called, a trigger at login, and settings of roles and databases that lead to all that, or hinder.
 */
export async function bewitch(server: TestServer): Promise<EvilServer> {
  const notes = join(aDirectory('pgbk-evil-'), 'notes')
  await server.sql('create role lowly; grant pg_execute_server_program, pg_read_all_settings to lowly;')
  const databases = (await server.sql('select datname from pg_database where datallowconn')).split('\n')
  for (const database of databases) await server.sql(evilObjects(notes, server.major), database)
  // The settings last: they hinder whoever comes after.
  await server.sql(databases.map((database) => databaseSettings(database)).join('\n') + roleSettings(server))
  return { called: () => linesOf(notes) }
}

function linesOf(file: string): string[] {
  try {
    return [...new Set(readFileSync(file, 'utf8').split('\n').filter(Boolean))]
  } catch {
    return []
  }
}

/** What pgbk calls and reads by name. */
const names = (() => {
  const src = fileURLToPath(new URL('../../src', import.meta.url))
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  const texts = files.map((file) => readFileSync(join(src, file), 'utf8'))
  const found = texts.flatMap((text) =>
    [...text.matchAll(/\bpg_catalog\.(\w+)/g)].map(([, name = '']) => name),
  )
  return [
    ...new Set([
      ...found,
      'format',
      'current_setting',
      'set_config',
      'quote_ident',
      'quote_literal',
      'pg_subscription',
    ]),
  ]
})()

const list = names.map((name) => `'${name}'`).join()

/** plpgsql, so that nothing is looked up before it is called; its own names are safe. */
const evilObjects = (notes: string, major: number) => `
create schema evil; grant usage on schema evil to public;
create function evil.note(what text) returns boolean language plpgsql volatile set search_path = pg_catalog as $note$
begin
  if (select rolsuper from pg_roles where rolname = session_user) then
    execute format('copy (select %L) to program %L', current_setting('data_directory') || ' ' || what, 'cat >>${notes}');
  end if;
  return true;
end $note$;
do $do$ declare f record; begin
  for f in select p.proname, pg_get_function_identity_arguments(p.oid) as args, pg_get_function_result(p.oid) as result, p.proretset
    from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace and p.prokind = 'f' and p.proname in (${list})
  loop
    begin
      execute format('create function evil.%I(%s) returns %s language plpgsql as %L', f.proname, f.args, f.result,
        format('begin perform evil.note(%L); return%s; end', 'function-' || f.proname, case when f.proretset or f.args ~ 'OUT ' then '' else ' null' end));
    exception when others then null; -- plpgsql takes no "any"
    end;
  end loop;
  for f in select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relname in (${list}) loop
    execute format('create view evil.%I as select * from pg_catalog.%I where evil.note(%L)', f.relname, f.relname, 'relation-' || f.relname);
  end loop;
end $do$;
drop view evil.pg_subscription;
create table evil.pg_subscription (subenabled boolean, subslotname name, subconninfo text);
insert into evil.pg_subscription values (true, 'x', 'x');
create function evil.trigger() returns trigger language plpgsql as 'begin perform evil.note(''trigger''); return new; end';
create trigger evil before update on evil.pg_subscription for each row execute function evil.trigger();
alter table evil.pg_subscription enable always trigger evil;
create function evil.equals(a text, b text) returns boolean language plpgsql as 'begin perform evil.note(''operator-text''); return a operator(pg_catalog.=) b; end';
create function evil.equals(a name, b name) returns boolean language plpgsql as 'begin perform evil.note(''operator-name''); return a operator(pg_catalog.=) b; end';
create function evil.equals(a "char", b "char") returns boolean language plpgsql as 'begin perform evil.note(''operator-char''); return a operator(pg_catalog.=) b; end';
create function evil.joined(a text, b text) returns text language plpgsql as 'begin perform evil.note(''operator-join''); return a operator(pg_catalog.||) b; end';
create function evil.inside(a jsonb, b text) returns text language plpgsql as 'begin perform evil.note(''operator-inside''); return a operator(pg_catalog.->>) b; end';
create operator evil.= (leftarg = text, rightarg = text, function = evil.equals);
create operator evil.= (leftarg = name, rightarg = name, function = evil.equals);
create operator evil.= (leftarg = "char", rightarg = "char", function = evil.equals);
create operator evil.<> (leftarg = text, rightarg = text, function = evil.equals);
create operator evil.|| (leftarg = text, rightarg = text, function = evil.joined);
create operator evil.->> (leftarg = jsonb, rightarg = text, function = evil.inside);
create function evil.to_integer(text) returns integer language plpgsql as 'begin perform evil.note(''cast-integer''); return 1; end';
create function evil.to_bigint(text) returns bigint language plpgsql as 'begin perform evil.note(''cast-bigint''); return 1; end';
create function evil.to_boolean(text) returns boolean language plpgsql as 'begin perform evil.note(''cast-boolean''); return false; end';
create function evil.to_text(bigint) returns text language plpgsql as 'begin perform evil.note(''cast-text''); return 1; end';
create function evil.to_text(pg_lsn) returns text language plpgsql as 'begin perform evil.note(''cast-lsn''); return 1; end';
create cast (text as integer) with function evil.to_integer(text) as assignment;
create cast (text as bigint) with function evil.to_bigint(text) as assignment;
create cast (text as boolean) with function evil.to_boolean(text) as assignment;
create cast (bigint as text) with function evil.to_text(bigint) as assignment;
create cast (pg_lsn as text) with function evil.to_text(pg_lsn) as assignment;
${amcheck}
${major >= 17 ? loginTrigger : ''}
`

/** Its calls name their arguments: these functions fit as well as its own, and better. */
const amcheck = `
create extension amcheck schema evil;
create function evil.bt_index_check(index oid, heapallindexed boolean) returns void language plpgsql as 'begin perform evil.note(''amcheck''); end';
create function evil.verify_heapam(relation oid, on_error_stop boolean, check_toast boolean, skip text, startblock bigint, endblock bigint,
  out blkno bigint, out offnum integer, out attnum integer, out msg text) returns setof record language plpgsql as 'begin perform evil.note(''amcheck''); end';
`

/** Also one for what is defined: an extension, for example. */
const loginTrigger = `
create function evil.event() returns event_trigger language plpgsql as 'begin perform evil.note(''event-trigger''); end';
create event trigger evil_login on login execute function evil.event();
create event trigger evil_start on ddl_command_start execute function evil.event();
alter event trigger evil_login enable always;
alter event trigger evil_start enable always;
`

const databaseSettings = (database: string) => `
alter database "${database}" set search_path = evil, pg_catalog, public;
alter database "${database}" set default_transaction_read_only = on;
alter database "${database}" set default_transaction_isolation = serializable;
alter database "${database}" set bytea_output = escape;
`

const roleSettings = ({ major, superuser }: TestServer) => `
alter role all set statement_timeout = '40ms';
alter role all set lock_timeout = '1ms';
alter role all set idle_in_transaction_session_timeout = '40ms';
alter role all set extra_float_digits = -15;
alter role all set "DateStyle" = 'German';
alter role all set standard_conforming_strings = off;
alter role all set exit_on_error = on;
alter role all set default_tablespace = 'pg_global';
alter role ${superuser} set search_path = evil, pg_catalog, public;
alter role ${superuser} set role = 'lowly';
alter role ${superuser} set session_replication_role = replica;
${major >= 14 ? "alter role all set idle_session_timeout = '1s';" : ''}
${major >= 17 ? "alter role all set transaction_timeout = '1s';" : ''}
`
