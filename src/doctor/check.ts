import { PgbkError } from '../errors.js'

/** `failed`: create would not work. `warning`: it would, but somebody should look. `skipped`: could not be looked at. */
export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped'

export interface Check {
  name: string
  status: CheckStatus
  text: string
  /** What fixes it, as a person can paste it. */
  remedy: string | null
}

export function ok(name: string, text: string): Check {
  return { name, status: 'ok', text, remedy: null }
}

/** All is well, and could be better. */
export function advice(name: string, text: string, remedy: string): Check {
  return { name, status: 'ok', text, remedy }
}

export function warning(name: string, text: string, remedy: string | null = null): Check {
  return { name, status: 'warning', text, remedy }
}

export function skipped(name: string, text: string): Check {
  return { name, status: 'skipped', text, remedy: null }
}

/** What create itself would end with. @throws anything that is not a PgbkError. */
export function failed(name: string, error: unknown): Check {
  if (!(error instanceof PgbkError)) throw error
  return { name, status: 'failed', text: error.message, remedy: error.hint ?? null }
}
