import { withoutSecrets } from '../postgres/connection/conninfo.js'
import { type Check, warning } from './check.js'

/** A password in a URI or conninfo of the command line. Nothing is said where there is none. */
export function checkSecrets({ dbname }: { dbname?: string | undefined }): Check[] {
  if (dbname === undefined || withoutSecrets(dbname) === dbname) return []
  return [
    warning(
      'password',
      'is an argument: everybody on this machine can see it in ps at the start of every call, and it stays in the history of the shell',
      'Put it into ~/.pgpass of the user who makes the backups (mode 0600), a file that PGPASSFILE names, or a service file (service=NAME).',
    ),
  ]
}
