import { describe, expect, it } from '@jest/globals'
import { makeSocketDirectory, removeSocketDirectory } from '../../src/postgres/local/sockets.js'
import type { SqlClient } from '../../src/postgres/local/sql-client.js'
import type { Sql } from '../../src/postgres/sql/sql.js'
import type { OwnRunDirectory } from '../../src/run/directory/run-directory.js'
import { type AnsweringServer, checkIsRun, checkStillRuns } from '../../src/run/identity.js'
import { identityLine } from '../../src/run/run-conf.js'
import { aDirectory, atEnd } from '../helpers/places.js'

/** A server that says of itself what it is told to say. */
function aClient(secret: unknown): SqlClient & { asked: string[]; ended: boolean } {
  const client = {
    asked: [] as string[],
    ended: false,
    run: async ({ text }: Sql) => {
      client.asked.push(text)
      return [{ secret }]
    },
    end: async () => {
      client.ended = true
    },
  }
  return client
}

const run = { secret: 'abc', sockets: '/tmp/pgbk-000000' }

describe('the server of a run', () => {
  it('is known by its secret', async () => {
    const client = aClient('abc')
    await checkIsRun(client, run)
    expect(client.ended).toBe(false)
    expect(identityLine('abc')).toBe("pgbk.secret = 'abc'\n")
  })

  it.each(['', null, undefined, 'abcd'])(
    'is not one that says %j: it is asked nothing more',
    async (secret) => {
      const client = aClient(secret)
      await expect(checkIsRun(client, run)).rejects.toThrow(/another server answers/)
      expect(client.asked).toHaveLength(1)
      expect(client.ended).toBe(true)
    },
  )

  it.each([true, false])(
    'is told to have ended where none answers, whether that is known (%j) or not',
    async (known) => {
      const sockets = makeSocketDirectory()
      atEnd(() => removeSocketDirectory(sockets))
      const directory = { sockets, secret: 'abc' } as OwnRunDirectory
      const log = `${aDirectory()}/log`
      const answering: AnsweringServer = {
        ...{ directory, port: 5432, role: 'focker', database: 'app', major: 17, log },
        server: { hasEnded: () => known },
      }
      await expect(checkStillRuns(answering, new AbortController())).rejects.toThrow(/ended by itself/)
    },
  )
})
