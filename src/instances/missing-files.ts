import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Context } from '../context.js'
import { directoriesOf } from '../postgres/differences.js'
import type { ServerPrograms } from '../postgres/find-server.js'
import { serverEnvironment } from '../postgres/server-process.js'
import { runProgram } from '../program/run-program.js'

/** What a server reads when it starts with ssl; where one has no default and is not set, it is not read. */
const sslFiles = ['ssl_cert_file', 'ssl_key_file', 'ssl_ca_file', 'ssl_crl_file', 'ssl_dh_params_file']

/**
 * What the configuration of a restored data directory names and this machine has not, so that its server does not start: files of
 * ssl, libraries to preload. The server program itself reads the configuration (`postgres -C`, with all that it includes).
 * @returns in plain words, with the settings to look at.
 */
export async function missingFiles(
  data: string,
  { bin, postgres }: Pick<ServerPrograms, 'bin' | 'postgres'>,
  context: Context,
): Promise<string[]> {
  const ask = (name: string) => settingOf(name, data, postgres, context)
  const ssl = await ask('ssl')
  if (ssl.fault !== undefined) return [`its configuration is not understood here: ${ssl.fault}`]
  const notes: string[] = []
  for (const name of ssl.value === 'on' ? sslFiles : []) {
    const { value = '' } = await ask(name)
    if (value !== '' && !existsSync(resolve(data, value)))
      notes.push(`ssl is on, and ${name} = ${value} is not here: the server does not start without it`)
  }
  const { value: libraries = '' } = await ask('shared_preload_libraries')
  const directory = libraries === '' ? undefined : (await directoriesOf(bin, context))?.libraries
  for (const name of libraries.split(',').map((one) => one.trim().replace(/^"(.*)"$/, '$1')))
    if (directory !== undefined && name !== '' && !isLibrary(name, directory))
      notes.push(
        `shared_preload_libraries has ${name}, which is not installed here: the server does not start without it`,
      )
  return notes
}

async function settingOf(
  name: string,
  data: string,
  postgres: string,
  context: Context,
): Promise<{ value?: string; fault?: string }> {
  const args = ['-D', data, '-C', name]
  const { status, stdout, stderr } = await runProgram(postgres, args, {
    env: serverEnvironment(context),
    signal: context.signal,
  })
  return status === 0 ? { value: stdout.trim() } : { fault: stderr.trim().split('\n').slice(0, 2).join('; ') }
}

/** As expand_dynamic_library_name() in src/backend/utils/fmgr/dfmgr.c looks for it, with the default dynamic_library_path. */
function isLibrary(name: string, directory: string): boolean {
  const path = name.includes('/') ? name.replace(/^\$libdir(?=\/)/, directory) : join(directory, name)
  return existsSync(path) || existsSync(`${path}.so`)
}
