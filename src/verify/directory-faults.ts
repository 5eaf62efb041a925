import { statSync } from 'node:fs'
import type { BackupLayout } from '../catalog/layout.js'
import { missingDirectories } from '../snapshot/data-directories.js'
import type { Fault } from './fault.js'

/** What keeps a server from starting in a data directory, though all its files are there. */
export function directoryFaults({ data }: BackupLayout): Fault[] {
  const missing = missingDirectories(data).map((name) => ({
    file: `snapshot/data/${name}`,
    problem: 'it is missing, and no server starts without it: its copy has lost empty directories',
  }))
  return [...modeFaults(data), ...missing]
}

/** checkDataDir() in src/backend/utils/init/miscinit.c. */
function modeFaults(data: string): Fault[] {
  const mode = statSync(data).mode & 0o7777
  if ((mode & 0o027) === 0) return []
  const problem = `its mode is ${mode.toString(8).padStart(4, '0')}, and no server starts in it: 0700 or 0750 is needed`
  return [{ file: 'snapshot/data', problem }]
}
