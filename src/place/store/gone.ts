import { PgbkError } from '../../errors.js'

/** For what a store does not have. */
export function goneFrom(store: string, key: string): PgbkError {
  return new PgbkError('not-found', `${key} is gone from ${store}`)
}
