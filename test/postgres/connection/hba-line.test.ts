import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { hbaLine, hbaName } from '../../../src/postgres/connection/hba-line.js'
import { oddLines } from '../../helpers/odd-texts.js'
import { attempt, majorsAmong } from '../../helpers/programs.js'
import { aServer } from '../../helpers/server.js'
import { until } from '../../helpers/traces.js'

/** What a name that begins with a slash is there from 16 on: signs of ASCII are escaped. */
const asExpression = (name: string) => `/^${name.replaceAll(/[^a-zA-Z0-9\s\u0080-\u{10ffff}]/gu, '\\$&')}$`

describe('a line of pg_hba.conf', () => {
  it.each(majorsAmong(15, 17))(
    'is read by PostgreSQL %i as it was meant, whatever the names are',
    async (major) => {
      const server = await aServer({ major })
      const names = [
        ...oddLines('hba', 20),
        'all',
        'replication',
        'sameuser',
        '+group',
        '@file',
        'a,b',
        'select',
        '/*',
        '/.?"\\[ß',
      ]
      const lines = names.map((name) =>
        hbaLine({
          databases: hbaName(name, major),
          role: name,
          address: undefined,
          systemUser: undefined,
          major,
        }),
      )
      const shown = (name: string) => (name.startsWith('/') && major >= 16 ? asExpression(name) : name)
      writeFileSync(join(server.data, 'pg_hba.conf'), `local all focker trust\n${lines.join('\n')}\n`)
      const read =
        await server.sql(`select json_build_array(database[1], user_name[1], array_length(database, 1), error)
      from pg_hba_file_rules order by line_number offset 1`)
      expect(read.split('\n').map((line) => JSON.parse(line))).toEqual(
        names.map((name) => [shown(name), shown(name), 1, null]),
      )
    },
  )

  it('lets in the role that it names, whose name begins with a slash', async () => {
    const [major = 0] = majorsAmong(17)
    const server = await aServer({ major })
    await server.sql('create role "/a.*" login; create role "/abc" login')
    const line = hbaLine({ databases: 'all', role: '/a.*', address: undefined, systemUser: undefined, major })
    writeFileSync(
      join(server.data, 'pg_hba.conf'),
      `local all focker trust\n${line.replace('scram-sha-256', 'trust')}\n`,
    )
    await server.sql('select pg_reload_conf()')
    const as = (role: string) =>
      attempt([
        `${server.bin}/psql`,
        '-XAtc',
        'select current_user',
        '-h',
        server.socket,
        '-p',
        String(server.port),
        '-U',
        role,
        'postgres',
      ])
    await until('the rules are read', async () => (await as('/a.*')).status === 0)
    expect((await as('/abc')).stderr).toContain('no pg_hba.conf entry')
  })

  it.each(['replication', 'sameuser', 'samerole', 'samegroup', 'all', 'Mixed'])('quotes %s', (name) =>
    expect(hbaName(name)).toBe(`"${name}"`),
  )
})
