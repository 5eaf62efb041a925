import { PgbkError } from '../../errors.js'

/**
 * What is found of a backup in a store, or that it is not what one looks like there: a link or a pipe in the place of a file. Whoever can
 * write there can put one, and must not keep others from being removed.
 */
export async function unlessDamaged<T>(look: () => Promise<T>): Promise<T | PgbkError> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof PgbkError && error.code === 'damaged') return error
    throw error
  }
}
