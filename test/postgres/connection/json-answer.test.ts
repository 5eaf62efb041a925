import { expect, it } from '@jest/globals'
import { jsonAnswer } from '../../../src/postgres/connection/json-answer.js'
import { v } from '../../../src/schema.js'
import { thrownBy } from '../../catalog/samples.js'

const schema = v.object({ count: v.number() })

it('an answer is what was asked for', () => expect(jsonAnswer(schema, '{"count": 3}')).toEqual({ count: 3 }))

it.each(['', 'no such pool', '{"count": "3"}', '[3]'])(
  '%j is the answer of something else',
  async (answer) => {
    expect(await thrownBy(() => jsonAnswer(schema, answer))).toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^the server's answer is not understood: /),
      hint: expect.stringMatching(/not to a pooler/),
    })
  },
)
