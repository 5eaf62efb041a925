import { mayBeExpired, s3Failure } from './s3-failure.js'

/** What makes it worth to ask once more: another region, other credentials, or the clock of the store, which the client knows now. */
export type Remedy = { what: 'region'; region: string } | { what: 'credentials' } | { what: 'clock' }

/** Clients of a store that take each other's place, each for one region. */
export interface Clients<C extends { region: string }> {
  current(): C
  /** Sees to another one, where nobody else has after that one was asked. */
  replace(asked: C, remedy: Remedy): void
}

/** Asks once more for each remedy. @throws what the client throws. */
export async function askAgain<C extends { region: string }, O>(
  clients: Clients<C>,
  question: (client: C) => Promise<O>,
): Promise<O> {
  const tried = new Set<string>()
  for (;;) {
    const asked = clients.current()
    try {
      return await question(asked)
    } catch (error) {
      const remedy = remedyFor(error, asked.region)
      if (!remedy || tried.has(remedy.what)) throw error
      tried.add(remedy.what)
      clients.replace(asked, remedy)
    }
  }
}

/** @param region in which it was asked. */
function remedyFor(error: unknown, region: string): Remedy | undefined {
  const other = regionNamedBy(error)
  if (other !== undefined && other !== region) return { what: 'region', region: other }
  if (mayBeExpired(error)) return { what: 'credentials' }
  // The client itself asks again only for what is no stream.
  if (s3Failure(error).name === 'RequestTimeTooSkewed') return { what: 'clock' }
  return undefined
}

/** The region of a bucket, where it was asked for in another one. */
function regionNamedBy(error: unknown): string | undefined {
  const { $response, Region } = (error ?? {}) as {
    $response?: { headers?: Record<string, string> }
    Region?: unknown
  }
  if (![301, 307, 400].includes(s3Failure(error).status ?? 0)) return undefined
  const named = $response?.headers?.['x-amz-bucket-region'] ?? Region
  // It becomes a part of the host that is asked next.
  return typeof named === 'string' && /^[a-z0-9-]{1,63}$/i.test(named) ? named : undefined
}
