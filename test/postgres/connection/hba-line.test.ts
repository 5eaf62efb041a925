import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { hbaLine, hbaName } from '../../../src/postgres/connection/hba-line.js'
import { oddLines } from '../../helpers/odd-texts.js'
import { anyMajor } from '../../helpers/programs.js'
import { aServer } from '../../helpers/server.js'

describe('a line of pg_hba.conf', () => {
  it('is read by the server as it was meant, whatever the names are', async () => {
    const server = await aServer({ major: anyMajor })
    const names = [
      ...oddLines('hba', 20),
      'all',
      'replication',
      'sameuser',
      '+group',
      '@file',
      'a,b',
      'select',
    ]
    const lines = names.map((name) =>
      hbaLine({ databases: hbaName(name), role: name, address: undefined, systemUser: undefined }),
    )
    writeFileSync(join(server.data, 'pg_hba.conf'), `local all focker trust\n${lines.join('\n')}\n`)
    const read =
      await server.sql(`select json_build_array(database[1], user_name[1], array_length(database, 1), error)
      from pg_hba_file_rules order by line_number offset 1`)
    expect(read.split('\n').map((line) => JSON.parse(line))).toEqual(
      names.map((name) => [name, name, 1, null]),
    )
  })

  it.each(['replication', 'sameuser', 'samerole', 'samegroup', 'all', 'Mixed'])('quotes %s', (name) =>
    expect(hbaName(name)).toBe(`"${name}"`),
  )
})
