import { constants } from 'node:os'
import { types } from 'node:util'

type Errno = keyof typeof constants.errno

/** What the kernel is to tell the caller of a system call: errors of the file server's own, beside those that it has got itself. */
export class Refusal extends Error {
  readonly errno: number

  constructor(readonly code: Errno) {
    super(code)
    this.errno = -constants.errno[code]
  }
}

/** The number of an error of a system call, negative as in answers; undefined for what nobody has expected. */
export function errnoOf(error: unknown): number | undefined {
  const { errno } = (types.isNativeError(error) ? error : {}) as { errno?: unknown }
  return typeof errno === 'number' && errno < 0 ? errno : undefined
}
