import { shellWord } from '../../text/shell-word.js'
import { installHint } from '../programs/install-hint.js'
import { identifier } from '../sql/identifier.js'
import { type Attempt, type ConnectionFault, connectionUser } from './connection-fault.js'
import { hbaHint, hbaLine, hbaName } from './hba-line.js'
import { stateFaults } from './server-state-hint.js'

/** What libpq and the server say (src/interfaces/libpq/fe-connect.c, src/backend/libpq/auth.c), and what fixes it. */
const faults: ConnectionFault[] = [
  {
    says: /password file "([^"]*)" has group or world access/,
    hint: ([, file = '']) =>
      `libpq does not read a password file that others can read.\n  chmod 600 ${shellWord(file)}`,
  },
  { says: /password authentication failed|no password supplied/, hint: passwordHint },
  {
    says: /peer authentication failed|ident authentication failed/i,
    hint: () =>
      'Over the socket, this role is only for the operating-system user of the same name: run pgbk as that user, choose another role with -U, or connect with -h localhost.',
  },
  {
    says: /role "([^"]*)" does not exist/,
    hint: ([, role = '']) =>
      `Choose the role with -U, or make it, as a superuser:  CREATE ROLE ${identifier(role)} LOGIN REPLICATION;`,
  },
  {
    says: /role "([^"]*)" is not permitted to log in/,
    hint: ([, role = '']) => `As a superuser:  ALTER ROLE ${identifier(role)} LOGIN;`,
  },
  {
    says: /to start (?:walsender|WAL sender)/,
    hint: (_match, attempt) =>
      `As a superuser:  ALTER ROLE ${identifier(connectionUser(attempt))} REPLICATION;`,
  },
  {
    says: /permission denied for database "([^"]*)"/,
    hint: ([, database = ''], attempt) =>
      `Choose another database with -d, or, as a superuser:  GRANT CONNECT ON DATABASE ${identifier(database)} TO ${identifier(connectionUser(attempt))};`,
  },
  {
    says: /server does not support SSL/,
    hint: () => 'Switch ssl on at the server, or ask for less with sslmode (PGSSLMODE).',
  },
  {
    says: /certificate verify failed|root certificate file|server certificate for|valid client certificate|private key file/,
    hint: () =>
      'It is about TLS: see sslmode, sslrootcert, sslcert and sslkey (PGSSLMODE, PGSSLROOTCERT ...); a private key must be readable by its owner alone.',
  },
  {
    says: /(?:no pg_hba\.conf entry|pg_hba\.conf rejects).* host "([^"]*)", user "([^"]*)"(?:, database "([^"]*)")?/,
    hint: noEntry,
  },
  { says: /database ".*" does not exist/, hint: () => 'Choose a database to connect to with -d.' },
  {
    says: /unsupported startup parameter|no such (?:user|database)|server login failed/,
    hint: () => poolersHint,
  },
  {
    says: /received invalid response to|expected authentication request from server/,
    hint: () => `What listens there is not a PostgreSQL server. ${elsewhere}`,
  },
  {
    says: /could not translate host name/,
    hint: () => `Is the name right, and known on this machine? ${elsewhere}`,
  },
  {
    says: /authentication failed for user/,
    hint: () =>
      "Choose another role with -U; the server's log and its pg_hba.conf tell why this one may not.",
  },
  ...stateFaults,
  { says: /timeout expired/, hint: () => silenceHint, passes: true },
  {
    says: /on socket ".*" failed: No such file or directory/,
    hint: () =>
      `No server listens at that socket. If there is one, start it, as root:\n  service postgresql start\nIf there is none on this machine:\n${installHint(undefined, 'server')}\nElsewhere: ${elsewhere.replace('Name', 'name')}`,
    passes: true,
  },
]

/** For what lets no replication connection through. */
export const poolersHint =
  'A pooler such as PgBouncer does not pass such connections on: connect to the server itself.'

const elsewhere = 'Name it with -h HOST -p PORT -U ROLE, with -d URI, or with PGHOST, PGPORT and PGUSER.'

/** For a server that takes connections, or seems to, and does not answer: the kernel does so for one that is stopped. */
export const silenceHint =
  'Are host and port right? Is the server stopped or overloaded, does its disk hang, or does a firewall swallow what is sent to it? Try it on its own machine:  psql -c "SELECT 1"'

/** What libpq says before it asks any server (src/interfaces/libpq/fe-connect.c). */
const wrongParameters = [
  /^invalid (connection option|integer value|port number|URI|percent-encoded token|"?\w+"? value: )/,
  /^(missing "=" after|(missing|extra) key\/value separator|unterminated quoted string|unexpected character)/,
  /^(end of string reached when looking for|IPv6 host address may not be empty|forbidden value|could not match \d+ )/,
  /^(definition of service|service file) ".*" not found|^syntax error in service file/,
]

export function isWrongParameter(message: string): boolean {
  return wrongParameters.some((pattern) => pattern.test(message))
}

/** The line, statement or command that makes the connection possible, where it can be known. */
export function connectionHint(message: string, attempt: Attempt): string {
  for (const { says, hint } of faults) {
    const match = says.exec(message)
    if (match) return hint(match, attempt)
  }
  return `Is the server running there? ${elsewhere}`
}

/** Whether a connection fails with this until somebody changes something. */
export function isLasting(message: string): boolean {
  return faults.some(({ says, passes }) => !passes && says.test(message)) || isWrongParameter(message)
}

function noEntry([, host = '', role = '', database]: RegExpExecArray, { systemUser }: Attempt): string {
  const databases = database === undefined ? 'replication' : `${hbaName(database)},replication`
  const address = host === '[local]' ? undefined : host
  return hbaHint([hbaLine({ databases, role, address, systemUser })])
}

function passwordHint({ input: message }: RegExpExecArray, attempt: Attempt): string {
  const [, host = '*', port] = /server at "([^"]*)".*?, port (\d+)/.exec(message) ?? []
  const [, socketPort = '*'] = /\.s\.PGSQL\.(\d+)"/.exec(message) ?? []
  const escaped = (text: string) => text.replace(/[\\:]/g, '\\$&')
  const [, file] = /password retrieved from file "([^"]*)"/.exec(message) ?? []
  if (file !== undefined)
    return `The password in ${file} is not that of the role. Correct its line there, or, as a superuser:\n  ALTER ROLE ${identifier(connectionUser(attempt))} PASSWORD 'THE-PASSWORD';`
  const line = `${escaped(host)}:${port ?? socketPort}:*:${escaped(connectionUser(attempt))}:THE-PASSWORD`
  return [
    'Give the password in ~/.pgpass (HOST:PORT:*:USER:PASSWORD, mode 0600), in PGPASSWORD, or in a service file:',
    `  (umask 077; echo ${shellWord(line)} >> ~/.pgpass)`,
  ].join('\n')
}
