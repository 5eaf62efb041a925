import type { Identity } from '../context.js'

/** One that nobody else has. */
export async function newIdentity(): Promise<Identity> {
  const { generateX25519Identity, identityToRecipient } = await import('./age-library.js')
  const secret = await generateX25519Identity()
  return { secret, recipient: await identityToRecipient(secret) }
}
