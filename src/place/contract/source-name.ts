import { PgbkError } from '../../errors.js'

/**
 * The SOURCE that is meant: the one that was named, else that of the configuration, else the fallback.
 * @throws {PgbkError} `usage` when there is none.
 */
export function sourceName(
  from: string | true | undefined,
  { source }: { source?: string | undefined },
  fallback?: string,
): string {
  const name = (from === true ? undefined : from) ?? source ?? fallback
  if (name !== undefined) return name
  throw new PgbkError('usage', 'no source is named', {
    hint: 'Name one with --from DIR or --from [USER@]HOST:DIR, or as source in .pgbkrc.yaml.',
  })
}
