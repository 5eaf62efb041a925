import * as v from 'valibot'
import { cutTo } from './text/cut-to.js'
import { sizeOfJson } from './text/json-size.js'

export { v }

export type SchemaResult<T> = { value: T; faults?: undefined } | { value?: undefined; faults: string[] }

/**
 * Checks a value that comes from outside. Every fault is one line: the path of the value, then what is wrong.
 * @param abortEarly the first fault is enough: what has millions of values may have as many.
 */
export function check<T>(
  schema: v.GenericSchema<unknown, T>,
  input: unknown,
  { abortEarly = false } = {},
): SchemaResult<T> {
  const result = v.safeParse(schema, input, { abortEarly })
  if (result.success) return { value: result.output }
  return { faults: result.issues.map(describeIssue) }
}

/** The same for a text that should be JSON: the first fault. */
export function checkJson<T>(schema: v.GenericSchema<unknown, T>, text: string): SchemaResult<T> {
  const parsed = parseJson(text)
  return typeof parsed === 'string' ? { faults: [parsed] } : check(schema, parsed.json, { abortEarly: true })
}

/**
 * Reads a text that should be JSON and comes from outside.
 * @param mostValues nothing is made of a text that has more.
 * @returns what is wrong, as a text that has nothing of what is in it: it may be any file of this machine.
 */
export function parseJson(text: string, mostValues = Number.POSITIVE_INFINITY): { json: unknown } | string {
  const size = sizeOfJson(text, mostValues)
  if (!size) return 'it is not JSON'
  const { depth, values } = size
  if (depth > mostDepth) return `it is nested more than ${mostDepth} times`
  if (values > mostValues) return `it has more than ${mostValues} values`
  try {
    return { json: JSON.parse(text) }
  } catch {
    return 'it is not JSON'
  }
}

/** What is written by pgbk has four levels; to write out what is nested without end would end the process. */
const mostDepth = 32

const longest = 300

function describeIssue(issue: v.BaseIssue<unknown>): string {
  return cutTo(longest, faultOf(issue))
}

function faultOf(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? ''
  if (issue.type === 'strict_object' && issue.expected === 'never') return `${path}: unknown key`
  const nested = issue.issues?.[0]
  if (issue.type === 'union' && nested) return `${path}: ${nested.message}`
  return path ? `${path}: ${issue.message}` : issue.message
}
