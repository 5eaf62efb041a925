import type { RootLayout } from '../../catalog/layout.js'
import { readWalSent, writeWalSent } from '../../catalog/uploads/wal-sent.js'
import type { Context } from '../../context.js'

/** Notes how far a store has the WAL of a root, and tells when that begins or ends to fail. */
export interface WalNews {
  /** All that was there at this time has come. */
  sent(at: Date): void
  /** @param waits whether it comes as soon as the store is there again; else somebody has to do something first. */
  notSent(why: string, waits: boolean): void
}

export function walNews(root: RootLayout, store: string, { progress }: Pick<Context, 'progress'>): WalNews {
  let told: string | undefined
  return {
    sent(at) {
      writeWalSent(root, store, { at: at.toISOString(), error: null, waits: true })
      if (told !== undefined) progress.say(`WAL comes into the store ${store} again`)
      told = undefined
    },
    notSent(why, waits) {
      if (why !== told) progress.warn(`WAL is not sent to the store ${store}, trying again: ${why}`)
      told = why
      writeWalSent(root, store, { at: readWalSent(root)[store]?.at ?? null, error: why, waits })
    },
  }
}
