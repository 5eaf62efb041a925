import type { Recipient } from './recipient.js'

/** Who can decrypt what was encrypted for its recipient. */
export interface Identity {
  /** `AGE-SECRET-KEY-1...`: for nothing but the library. */
  secret: string
  recipient: Recipient
}
