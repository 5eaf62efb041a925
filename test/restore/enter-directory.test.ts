import { expect, it } from '@jest/globals'
import { errandIn } from '../../src/restore/enter-directory.js'
import { thrownBy } from '../catalog/samples.js'

it('an errand keeps all that the other process is to know, and nothing else', () => {
  const options = {
    pgdata: '/srv/main',
    tablespaceMapping: ['/a=/b'],
    start: false,
    timeline: 2,
    toLatest: true,
  }
  const said = JSON.stringify({ uid: 70, options: { ...options, received: 'x' } })
  expect(errandIn(said)).toEqual({ uid: 70, options })
})

it.each(['', '{"uid": "0", "options": {}}', '{"uid": 0}', '{"uid": 0, "options": {"pgdata": 1}}'])(
  '%j is no errand',
  async (said) =>
    expect(await thrownBy(() => errandIn(said))).toMatchObject({
      code: 'usage',
      message: expect.stringMatching(/^--received is for pgbk itself: /),
    }),
)
