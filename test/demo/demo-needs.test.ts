import { describe, expect, it } from '@jest/globals'
import { checkUserOfPostgres } from '../../src/demo/demo-needs.js'
import { PgbkError } from '../../src/errors.js'
import { aContext, thrownBy } from '../catalog/samples.js'

const root = { uid: 0, gid: 0, name: 'root', home: '/root' }
const withoutUsers = aContext({
  user: () => root,
  idsOf: (user) => {
    throw new PgbkError('config', `there is no operating-system user ${user} to work as`)
  },
})

describe('the demo of root, where there is no user postgres', () => {
  it('tells that PostgreSQL is not installed, and the line that installs it', async () => {
    const error = await thrownBy(() => checkUserOfPostgres('postgres', withoutUsers))
    expect(error).toMatchObject({ code: 'programs-missing', hint: expect.stringContaining('install') })
    expect(error.message).toMatch(/the demo needs PostgreSQL's server and client programs/)
    expect(`${error.message}${error.hint}`).not.toContain('run_as')
  })

  it('leaves to others to tell of a user whom the configuration names', () =>
    expect(() => checkUserOfPostgres('backup', withoutUsers)).not.toThrow())

  it('is of no interest to an ordinary user', () =>
    expect(() =>
      checkUserOfPostgres('postgres', { ...withoutUsers, user: () => ({ ...root, uid: 1000 }) }),
    ).not.toThrow())
})
