import { readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { aDirectory } from './places.js'

/** A PATH on which there are all usual programs but these. */
export function aPathWithout(...names: string[]): string {
  const directory = aDirectory('pgbk-bin-')
  for (const program of readdirSync('/usr/bin')) {
    if (!names.includes(program)) symlinkSync(`/usr/bin/${program}`, join(directory, program))
  }
  return directory
}
