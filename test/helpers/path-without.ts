import { readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { aDirectory } from './places.js'

/** A PATH on which there are all usual programs but one. */
export function aPathWithout(name: string): string {
  const directory = aDirectory('pgbk-bin-')
  for (const program of readdirSync('/usr/bin')) {
    if (program !== name) symlinkSync(`/usr/bin/${program}`, join(directory, program))
  }
  return directory
}
