import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { instanceLayout } from '../../../src/catalog/layout.js'
import { readInstanceRecord } from '../../../src/restore/instance/instance.js'
import { changePort, portIn } from '../../../src/restore/instance/instance-conf.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

describe("an instance's port", () => {
  it.each([
    ['', 5432],
    ['port = 5433', 5433],
    ["port='5434'", 5434],
    ['Port 5435', 5435],
    ['port = 1\nport = 5436 # mine', 5436],
    ['#port = 1', 5432],
    ['my.port = 1\nsupport = 2', 5432],
  ])('in %j is %i', (conf, port) => expect(portIn(conf)).toBe(port))

  it.each(['', 'a = 1\nport = 1\nport=2\nb = 3\n', "port '7' # mine"])(
    'is changed in %j, and nothing else',
    async (conf) => {
      const layout = instanceLayout(aDirectory())
      mkdirSync(layout.conf)
      writeFileSync(layout.postgresqlConf, conf)
      await changePort(layout, 6000)
      const changed = readFileSync(layout.postgresqlConf, 'utf8')
      expect(portIn(changed)).toBe(6000)
      expect(
        changed
          .split('\n')
          .filter((line) => !/port/.test(line))
          .join(''),
      ).toBe(
        conf
          .split('\n')
          .filter((line) => !/port/.test(line))
          .join(''),
      )
    },
  )
})

describe('instance.json', () => {
  const record = {
    format: 1,
    name: 'staging',
    backup: '20261120T030000Z',
    created_at: '2026-11-20T10:15:00.000Z',
    server_version: '15.18',
    major: 15,
    role: 'focker',
    database: 'app',
  }
  const read = (value: unknown) => {
    const path = `${aDirectory()}/instance.json`
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value))
    return readInstanceRecord(path)
  }

  it('is read; fields that are not known do not matter', () => {
    expect(read({ ...record, later: 1 })).toEqual(record)
  })

  it.each([
    ['{', 'is unreadable'],
    [{ ...record, format: 2 }, 'update pgbk'],
    [{ ...record, name: 7 }, 'name'],
    [{ ...record, created_at: 'yesterday' }, 'created_at'],
    [{}, 'format'],
  ])('%j is refused', async (value, reason) => {
    const { code, message } = await thrownBy(() => read(value))
    expect(code).toBe('damaged')
    expect(message).toContain(reason)
  })

  it('that is not there is a system error', async () => {
    expect(await thrownBy(() => readInstanceRecord('/no/such/file'))).toMatchObject({ code: 'ENOENT' })
  })
})
