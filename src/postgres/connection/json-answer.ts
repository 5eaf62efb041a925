import { PgbkError } from '../../errors.js'
import { checkJson, type v } from '../../schema.js'

/** What a server has answered in JSON. @throws {PgbkError} `failed` when it is anything else: not every server is PostgreSQL. */
export function jsonAnswer<T>(schema: v.GenericSchema<unknown, T>, answer: string): T {
  const { value, faults } = checkJson(schema, answer)
  if (faults === undefined) return value
  throw new PgbkError(
    'failed',
    `the server's answer is not understood: ${faults.slice(0, 3).join('; ')}: ${answer.slice(0, 200)}`,
    {
      hint: 'Connect to PostgreSQL itself, not to a pooler or a proxy.',
    },
  )
}
