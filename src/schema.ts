import * as v from 'valibot'

export { v }

export type SchemaResult<T> = { value: T; faults?: undefined } | { value?: undefined; faults: string[] }

/** Checks a value that comes from outside. Every fault is one line: the path of the value, then what is wrong. */
export function check<T>(schema: v.GenericSchema<unknown, T>, input: unknown): SchemaResult<T> {
  const result = v.safeParse(schema, input)
  if (result.success) return { value: result.output }
  return { faults: result.issues.map(describeIssue) }
}

/** The same for a text that should be JSON. */
export function checkJson<T>(schema: v.GenericSchema<unknown, T>, text: string): SchemaResult<T> {
  const parsed = parseJson(text)
  return typeof parsed === 'string' ? { faults: [parsed] } : check(schema, parsed.json)
}

/**
 * Reads a text that should be JSON and comes from outside.
 * @returns what is wrong, as a text that has nothing of what is in it: it may be any file of this machine.
 */
export function parseJson(text: string): { json: unknown } | string {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return 'it is not JSON'
  }
  return isDeeper(json, mostDepth) ? `it is nested more than ${mostDepth} times` : { json }
}

/** What is written by pgbk has four levels; to write out what is nested without end would end the process. */
const mostDepth = 32

/** @param most counts down: what is nested without end ends this too. */
function isDeeper(json: unknown, most: number): boolean {
  if (typeof json !== 'object' || json === null) return false
  if (most < 0) return true
  for (const key in json) if (isDeeper(json[key as keyof typeof json], most - 1)) return true
  return false
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? ''
  if (issue.type === 'strict_object' && issue.expected === 'never') return `${path}: unknown key`
  const nested = issue.issues?.[0]
  if (issue.type === 'union' && nested) return `${path}: ${nested.message}`
  return path ? `${path}: ${issue.message}` : issue.message
}
