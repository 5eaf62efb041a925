import { join } from 'node:path'
import { v } from '../../schema.js'
import { markDirectory } from '../../system/files/marked-directory.js'
import { readNote } from '../../system/files/read-note.js'
import { namesIn } from '../../system/paths/names-in.js'
import { lifeOf, markFields, markOfThisProcess } from '../../system/process/process-mark.js'
import { isId } from '../id.js'
import { type BackupFiles, backupFiles, type RootLayout } from '../layout.js'

const schema = v.object({ ...markFields, made_by: v.literal('upload'), backup: v.string() })

/** The directory of an upload, which goes on or was killed. */
export interface UploadNote {
  backup: string
  files: BackupFiles
  life: ReturnType<typeof lifeOf>
}

/** Marks a directory as that of an upload of this process. */
export async function noteUpload({ uploadMarker }: BackupFiles, backup: string): Promise<void> {
  await markDirectory(uploadMarker, { made_by: 'upload', backup, ...markOfThisProcess() })
}

/** Undefined where nothing shows that an upload of pgbk works, or has worked, there. */
export function readUploadNote(directory: string): UploadNote | undefined {
  const files = backupFiles(directory)
  const note = readNote(schema, files.uploadMarker)
  return note && { backup: note.backup, files, life: lifeOf(note) }
}

/** Those of a root. */
export function uploadsIn({ backups }: RootLayout): UploadNote[] {
  const names = namesIn(backups, 'EACCES').filter((name) => isId(/^\.(.*)\.upload$/.exec(name)?.[1] ?? ''))
  return names.flatMap((name) => readUploadNote(join(backups, name)) ?? [])
}
