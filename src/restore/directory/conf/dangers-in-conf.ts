import { type ConfLine, parseConf } from '../../../snapshot/conf/conf-text.js'
import { dangerousSettings } from '../../../start-up/dangerous-settings.js'

/** All values that a server's configuration gives its settings, by their names in small letters; text is latin1. */
export type FoundSettings = ReadonlyMap<string, readonly string[]>

/** @param lines of any number of files. */
export function settingsOf(lines: readonly ConfLine[]): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const { name, value } of lines)
    if (name !== undefined) found.set(name, [...(found.get(name) ?? []), value])
  return found
}

export function settingsInText(text: string): Map<string, string[]> {
  return settingsOf(parseConf(text))
}

/** Settings that take the danger out of others, and in plain words why. */
interface DefusedSettings {
  settings: Record<string, string>
  reasons: string[]
}

/**
 * What else a server's own configuration would run, load from elsewhere, reach or write elsewhere when a copy is started with it. What
 * it listens on, whom it lets in and which keys it has stay as they are: that makes it this server.
 */
export function dangersIn(found: FoundSettings): DefusedSettings {
  const off = (names: readonly string[], isDanger: (value: string, name: string) => boolean) =>
    names.filter((name) => found.get(name)?.some((value) => isDanger(value, name)))
  const run = off([...namesOf('runs'), ...languagesThatRun], (value, name) => value !== offOf(name))
  const load = off([...namesOf('loads'), ...languagesThatLoad], (value) => !isOfInstallation(value))
  const reach = off(namesOf('reaches'), (value, name) => value !== offOf(name))
  const write = off(namesOf('writes'), (value, name) => isElsewhere(value, name))
  const all = [...run, ...load, ...reach, ...write]
  const needsNoKey = run.includes('ssl_passphrase_command') ? { ssl: 'off' } : {}
  return {
    settings: { ...Object.fromEntries(all.map((name) => [name, offOf(name)])), ...needsNoKey },
    reasons: [
      ...reason(
        run.filter((name) => !/^(archive_mode|archive_command)$/.test(name)),
        'commands and code that the configuration has run',
        Object.keys(needsNoKey).length > 0 ? ', and with its key TLS' : '',
      ),
      ...reason(load, 'code from outside of the installation'),
      ...reason(
        reach.filter((name) => !/^(primary_|max_logical)/.test(name)),
        'what makes it known to, or reaches, other machines',
      ),
      ...reason(write, 'files outside of the data directory'),
    ],
  }
}

/** The names in a list of libraries, and in a path of directories, that are not the installation's. */
export function isOfInstallation(value: string): boolean {
  return librariesIn(value)
    .flatMap((entry) => entry.split(':'))
    .every((entry) => entry === '' || (ofInstallation.test(entry) && !/(^|\/)\.\.(\/|$)/.test(entry)))
}

/** A list of names as SplitDirectoriesString reads it. */
export function librariesIn(value: string): string[] {
  return value
    .split(',')
    .map((name) => name.trim().replace(/^"(.*)"$/, '$1'))
    .filter(Boolean)
}

const ofInstallation = /^(?:\$libdir|\$system|(?!\/)[^/]+$)/

const languagesThatRun =
  `plperl.on_init plperl.on_plperl_init plperl.on_plperlu_init pltcl.start_proc pltclu.start_proc plv8.start_proc
  plv8.boot_proc pgsodium.getkey_script vault.getkey_script`.split(/\s+/)
const languagesThatLoad = 'pljava.libjvm_location pljava.vmoptions pljava.classpath pljava.module_path'.split(
  ' ',
)

/** Files of the server's own log and the like lie in its data directory. */
function isElsewhere(value: string, name: string): boolean {
  if (name === 'log_filename') return value.includes('/')
  return /_(directory|file)$/.test(name) && (value.startsWith('/') || /(^|\/)\.\.(\/|$)/.test(value))
}

function namesOf(danger: string): string[] {
  return dangerousSettings
    .filter((one) => one.danger === danger && one.off !== undefined)
    .map(({ name }) => name)
}

function offOf(name: string): string {
  return dangerousSettings.find((one) => one.name === name)?.off ?? ''
}

function reason(names: string[], what: string, more = ''): string[] {
  return names.length === 0 ? [] : [`${what} (${names.join(', ')})${more}`]
}
