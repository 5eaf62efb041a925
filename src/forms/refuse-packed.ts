import type { StoredBackup } from '../catalog/backup.js'
import { PgbkError } from '../errors.js'

/** For commands that only know plain backups. @param what they do: `be downloaded`. @throws {PgbkError} `failed`. */
export function refusePacked({ id, form }: Pick<StoredBackup, 'id' | 'form'>, what: string): void {
  if (form === 'plain') return
  throw new PgbkError('failed', `backup ${id} is packed, and packed backups cannot ${what} yet`, {
    hint: 'Unpack it where it lies (pgbk unpack), or copy its directory with other tools: nothing in it depends on the place.',
  })
}
