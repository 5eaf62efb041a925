import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import type { Context } from '../../context.js'
import { systemCode } from '../../errors.js'
import { directoriesOf } from '../../postgres/local/differences.js'
import type { ServerPrograms } from '../../postgres/programs/find-server.js'
import { timeZoneHint } from '../../start-up/known-time-zone.js'
import { runProgram } from '../../system/program/run-program.js'
import { missingAuth } from './conf/contain-auth.js'
import { librariesIn } from './conf/dangers-in-conf.js'

/** What a server reads when it starts with ssl; where one has no default and is not set, it is not read. */
const sslFiles = ['ssl_cert_file', 'ssl_key_file', 'ssl_ca_file', 'ssl_crl_file', 'ssl_dh_params_file']

/** What a machine lacks, in plain words with the settings to look at. */
export interface MissingFiles {
  /** Its server does not start without these. */
  stops: string[]
  /** It starts, and they are missed later. */
  others: string[]
}

interface ConfiguredDirectory {
  /** Where its configuration is. */
  data: string
  /** Where its data is: there too, or still in the snapshot. */
  source: string
  /** Of PostgreSQL. */
  major: number
  /** Its server works as another user than this process. */
  isOfAnother: boolean
}

/**
 * What the configuration of a restored data directory names and this machine has not, so that its server does not start: time zones,
 * files of ssl, libraries to preload, directories, addresses, and what pg_hba.conf names. The server program itself reads the configuration
 * (`postgres -C`, with all that it includes).
 */
export async function missingFiles(
  directory: ConfiguredDirectory,
  { bin, postgres }: Pick<ServerPrograms, 'bin' | 'postgres'>,
  context: Context,
): Promise<MissingFiles> {
  const { data, major } = directory
  const ssl = await settingOf('ssl', data, postgres, context)
  if (ssl.fault !== undefined)
    return { stops: [notUnderstood(ssl.fault.replaceAll(`${data}/`, ''))], others: [] }
  const ask = async (name: string) => (await settingOf(name, data, postgres, context)).value ?? ''
  const auth = await missingOfAuth(data, major)
  const stops = await Promise.all([
    ssl.value === 'on' ? missingOfSsl(directory, ask) : [],
    ask('shared_preload_libraries').then((value) => missingLibraries(librariesIn(value), bin, context)),
    missingDirectories(directory, ask),
    ask('listen_addresses').then((value) => missingAddresses(librariesIn(value))),
  ])
  return { stops: [...stops.flat(), ...auth.stops], others: auth.others }
}

/** Asks the server program for a setting of the directory. */
type Ask = (name: string) => Promise<string>

function notUnderstood(fault: string): string {
  const advice = /TimeZone|log_timezone/.test(fault)
    ? ` (${timeZoneHint}; or change the setting)`
    : /parameter "lc_/.test(fault)
      ? ' (install that locale, on Debian by the package locales-all, or change the setting)'
      : ''
  return `its configuration is not understood here, and the server does not start with it: ${fault}${advice}`
}

async function missingOfSsl({ data, source }: ConfiguredDirectory, ask: Ask): Promise<string[]> {
  const notes: string[] = []
  for (const name of sslFiles) {
    const value = await ask(name)
    if (value !== '' && ![data, source].some((place) => existsSync(resolve(place, value))))
      notes.push(`ssl is on, and ${name} = ${value} is not here: the server does not start without it`)
  }
  return notes
}

async function missingLibraries(libraries: string[], bin: string, context: Context): Promise<string[]> {
  const directory = libraries.length === 0 ? undefined : (await directoriesOf(bin, context))?.libraries
  if (directory === undefined) return []
  return libraries
    .filter((name) => !isLibrary(name, directory))
    .map(
      (name) =>
        `shared_preload_libraries has ${name}, which is not installed here: the server does not start without it`,
    )
}

/** The log's directory is made where it is missing, but not the one above it (SysLogger_Start() in syslogger.c). */
async function missingDirectories(directory: ConfiguredDirectory, ask: Ask): Promise<string[]> {
  const { data } = directory
  const sockets = librariesIn(await ask('unix_socket_directories'))
    .filter((name) => !name.startsWith('@'))
    .map((name) => resolve(data, name))
    .filter((name) => !isUsable(name, directory))
    .map((name) => `unix_socket_directories has ${name}, ${notUsable(name)}`)
  const log = (await ask('logging_collector')) === 'on' ? await ask('log_directory') : ''
  if (!isAbsolute(log) || isUsable(existsSync(log) ? log : dirname(log), directory)) return sockets
  return [...sockets, `log_directory = ${log}, ${notUsable(log)}`]
}

function notUsable(directory: string): string {
  const what = existsSync(directory) ? 'which this user may not write to' : 'which is not here'
  return `${what}: the server does not start without it`
}

function isUsable(path: string, { isOfAnother }: ConfiguredDirectory): boolean {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return false
  try {
    if (!isOfAnother) accessSync(path, constants.W_OK | constants.X_OK)
    return true
  } catch (error) {
    if (['EACCES', 'EROFS'].includes(systemCode(error) ?? '')) return false
    throw error
  }
}

/** A server does not start when it can listen at none of the addresses that it has to; names are not looked up. */
function missingAddresses(addresses: string[]): string[] {
  const own = Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? [])
  const isElsewhere = (address: string) =>
    /^[\d.]+$|:/.test(address) && !/^(0\.0\.0\.0|127\.[\d.]+|::1?)$/.test(address) && !own.includes(address)
  if (addresses.length === 0 || !addresses.every(isElsewhere)) return []
  return [
    `listen_addresses = ${addresses.join(', ')} is not an address of this machine: the server does not start without one`,
  ]
}

/** From 16 on a file that is missing makes all of pg_hba.conf void; before, `@file` matches nobody then (hba.c). */
async function missingOfAuth(data: string, major: number): Promise<MissingFiles> {
  const missing: MissingFiles = { stops: [], others: [] }
  for (const { file, by, root } of await missingAuth(data, major)) {
    const note = `${by} names ${file}, which is not here`
    if (root === 'pg_ident.conf') missing.others.push(`${note}: maps do not count without it`)
    else if (major < 16) missing.others.push(`${note}: it matches nobody without it`)
    else missing.stops.push(`${note}: the server does not start without it`)
  }
  return missing
}

async function settingOf(
  name: string,
  data: string,
  postgres: string,
  context: Context,
): Promise<{ value?: string; fault?: string }> {
  const args = ['-D', data, '-C', name]
  const { status, stdout, stderr } = await runProgram(postgres, args, {
    kind: 'server',
    env: context.env,
    signal: context.signal,
  })
  return status === 0 ? { value: stdout.trim() } : { fault: faultsIn(stderr) }
}

/** What a server says of its configuration, without times and what only follows from it. */
function faultsIn(log: string): string {
  const lines = log
    .trim()
    .split('\n')
    .map((line) => line.replace(/^.*?\b(?:LOG|FATAL|ERROR): {2}/, ''))
  const telling = lines.filter((line) => !/^skipping missing|contains errors$/.test(line))
  return (telling.length > 0 ? telling : lines).slice(0, 3).join('; ')
}

/**
 * Whether a library that is to be preloaded is installed, as expand_dynamic_library_name() in src/backend/utils/fmgr/dfmgr.c looks for it,
 * with the default dynamic_library_path.
 * @param directory of the installation's libraries.
 */
function isLibrary(name: string, directory: string): boolean {
  const path = name.includes('/') ? name.replace(/^\$libdir(?=\/)/, directory) : join(directory, name)
  return existsSync(path) || existsSync(`${path}.so`)
}
