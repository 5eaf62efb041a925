import { systemCode } from '../../errors.js'
import { diskUsage } from '../../system/files/measure.js'
import type { RunDirectory } from './run-directory.js'

/**
 * What a run has written so far, as it lies on the disk: changed blocks of a thin copy, files that an overlay or a copy has copied.
 * Undefined where these may share blocks with the backup's, which no program can tell, until its server answers, and where what it
 * started has closed a directory.
 */
export async function writtenBytes({
  layout,
  marker: { server },
}: RunDirectory): Promise<number | undefined> {
  if (!server || server.reflinks) return undefined
  const { upper, store, snapshot } = layout
  try {
    return await diskUsage(server.working_copy === 'copy' ? [snapshot] : [upper, store])
  } catch (error) {
    if (systemCode(error) === 'EACCES') return undefined
    throw error
  }
}
