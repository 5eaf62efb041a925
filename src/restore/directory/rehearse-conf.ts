import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { recordOf, snapshotOf } from '../../catalog/backup.js'
import { majorOf } from '../../catalog/record.js'
import type { Context } from '../../context.js'
import type { ServerPrograms } from '../../postgres/programs/find-server.js'
import { confFileIfThere } from '../../snapshot/conf/conf-file.js'
import { writeDurably } from '../../system/files/durable.js'
import { type MissingFiles, missingFiles } from './missing-files.js'
import type { DirectoryRequest } from './plan-directory.js'
import { writeProductionConf } from './production-directory.js'
import { productionConf } from './restore-directory.js'

/**
 * Finds out what a directory would lack on this machine when it is filled, so that its server would not start: its configuration is made
 * in a place of its own, and looked at.
 */
export async function rehearseConf(
  request: DirectoryRequest,
  programs: Pick<ServerPrograms, 'bin' | 'postgres'>,
  context: Context,
): Promise<MissingFiles> {
  const { backup, isOfAnother } = request
  const source = snapshotOf(backup).data
  const data = await mkdtemp(join(context.env.TMPDIR || '/tmp', 'pgbk-conf-'))
  try {
    for (const name of ['postgresql.conf', 'pg_hba.conf', 'pg_ident.conf']) {
      const content = confFileIfThere(join(source, name), source)
      if (content) await writeDurably(join(data, name), content)
    }
    await writeProductionConf({ ...productionConf(request, source), data })
    return await missingFiles(
      { data, source, major: majorOf(recordOf(backup)), isOfAnother },
      programs,
      context,
    )
  } finally {
    await rm(data, { recursive: true, force: true })
  }
}
