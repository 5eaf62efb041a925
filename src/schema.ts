import * as v from 'valibot'

export { v }

export type Checked<T> = { value: T; faults?: undefined } | { value?: undefined; faults: string[] }

/** Checks a value that comes from outside. Every fault is one line: the path of the value, then what is wrong. */
export function check<T>(schema: v.GenericSchema<unknown, T>, input: unknown): Checked<T> {
  const result = v.safeParse(schema, input)
  if (result.success) return { value: result.output }
  return { faults: result.issues.map(describeIssue) }
}

/** The same for a text that should be JSON. */
export function checkJson<T>(schema: v.GenericSchema<unknown, T>, text: string): Checked<T> {
  try {
    return check(schema, JSON.parse(text))
  } catch (error) {
    if (error instanceof SyntaxError) return { faults: [error.message] }
    throw error
  }
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? ''
  if (issue.type === 'strict_object' && issue.expected === 'never') return `${path}: unknown key`
  const nested = issue.issues?.[0]
  if (issue.type === 'union' && nested) return `${path}: ${nested.message}`
  return path ? `${path}: ${issue.message}` : issue.message
}
