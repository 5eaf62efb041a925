import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type ConfigFlags, loadConfig } from '../../src/config/load.js'
import type { Environment } from '../../src/context.js'
import { aContext } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

/** Writes a file that others cannot write, and the directories on the way to it. */
export function aFileIn(directory: string, name: string, text: string): string {
  const file = join(directory, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  chmodSync(file, 0o644)
  return file
}

/** A new directory with these files. */
export function aDirectoryWith(files: Record<string, string>): string {
  const directory = aDirectory('pgbk-config-')
  for (const [name, text] of Object.entries(files)) aFileIn(directory, name, text)
  return directory
}

/** Loads the configuration as a call in this directory would, with a home that has none. */
export function loadIn(cwd: string, env: Environment = {}, flags: ConfigFlags = {}) {
  return loadConfig(flags, aContext({ cwd, env: { HOME: '/no/such/home', ...env } }))
}
