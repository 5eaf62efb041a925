/** What a proof says, as far as it matters here. */
interface Said {
  ok: boolean
  faults: readonly string[]
  unproven?: readonly { database: string | null; reason: string }[] | undefined
}

/** `unproven`: nothing that is wrong was found, but not all could be looked at. */
export function outcomeOf({ ok, faults, unproven = [] }: Said): 'proven' | 'failed' | 'unproven' {
  if (ok) return 'proven'
  return faults.length === 0 && unproven.length > 0 ? 'unproven' : 'failed'
}

/** What could not be proven, and why, a line for each. */
export function unprovenReasons({ unproven = [] }: Pick<Said, 'unproven'>): string[] {
  return unproven.map(({ database, reason }) =>
    database === null ? reason : `database ${database}: ${reason}`,
  )
}
