import { chmodSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { probeStore } from '../../src/doctor/probe-store.js'
import { directoryStore } from '../../src/place/store/directory-store.js'
import type { ObjectStore } from '../../src/place/store/object-store.js'
import { aContext } from '../catalog/samples.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { aRoot } from '../helpers/server.js'

const context = aContext({ now: () => new Date() })
const statuses = async (change: Partial<ObjectStore>) => {
  const store = { ...directoryStore(aDirectory(), context), ...change }
  const checks = await probeStore({ store, name: 'offsite' }, context)
  return Object.fromEntries(checks.map(({ name, status }) => [name.replace('offsite: ', ''), status]))
}
const well = {
  list: 'ok',
  write: 'ok',
  ranges: 'ok',
  condition: 'ok',
  parts: 'ok',
  abort: 'ok',
  remove: 'ok',
}

describe('a store that is tried', () => {
  it('is well, and has nothing of it afterwards', async () => {
    const directory = aDirectory()
    const store = directoryStore(directory, context)
    const checks = await probeStore({ store, name: 'offsite' }, context)
    expect(checks.filter(({ status }) => status !== 'ok')).toEqual([])
    expect(
      readdirSync(directory, { recursive: true, withFileTypes: true }).filter((one) => one.isFile()),
    ).toEqual([])
  })

  it('is found out where it ignores ranges, or changes what it was sent', async () => {
    const real = directoryStore(aDirectory(), context)
    expect(
      await statuses({ ...real, read: (key, _range, take) => real.read(key, { from: 0 }, take) }),
    ).toEqual({ ...well, ranges: 'failed' })
    const damaged: ObjectStore['send'] = (key, what, onBytes) =>
      real.send(key, { ...what, read: (from, length) => what.read(from + 1, length) }, onBytes)
    expect(await statuses({ ...real, send: damaged })).toMatchObject({ parts: 'failed', remove: 'ok' })
  })

  it('is told that it keeps objects, that its clock is wrong, and that it lists half an upload', async () => {
    const real = directoryStore(aDirectory(), context)
    const stat: ObjectStore['stat'] = async (key) => {
      const found = await real.stat(key)
      return found && { ...found, changedAt: new Date(found.changedAt.getTime() - 3_600_000) }
    }
    expect(await statuses({ ...real, stat })).toEqual({ write: 'failed', list: 'ok', remove: 'ok' })
    const remove: ObjectStore['remove'] = async (keys) => {
      await real.remove(keys)
      return [{ key: keys[0] ?? '', until: new Date('2027-01-01T00:00:00Z') }]
    }
    expect(await statuses({ ...real, remove })).toEqual(well)
    const halves: ObjectStore['stat'] = async (key) =>
      key.endsWith('-4') ? { key, bytes: 1, changedAt: new Date() } : real.stat(key)
    expect(await statuses({ ...real, stat: halves })).toMatchObject({ abort: 'failed' })
  })
})

describe('pgbk doctor --store', () => {
  const doctor = async (config: string, ...args: string[]) => {
    const root = aDirectory()
    chmodSync(root, 0o755)
    const file = join(root, '.pgbkrc.yaml')
    writeFileSync(file, config)
    const ended = await runPgbk(['doctor', ...args, '--config', file, '-C', root])
    return { ...ended, all: ended.stdout + ended.stderr }
  }

  it('says that backups would lie there as they are, or who reads them', async () => {
    const there = aDirectory()
    chmodSync(there, 0o777)
    const plain = await doctor(`stores: {offsite: {url: ${there}}}`, '--store', 'offsite')
    expect(plain.status).toBe(0)
    expect(plain.all).toContain('not encrypted')
    const file = join(await aRoot(), 'key.txt')
    const key = await runPgbk(['key', 'new', file, '-q'])
    const config = `stores: {offsite: {url: ${there}, recipients: [${key.stdout.trim()}]}}`
    const encrypted = await doctor(config, '--store', 'offsite')
    expect(encrypted.all).toContain('encrypted for 1 recipient; no identity here reads it')
    const read = await doctor(config, '--store', 'offsite', '--identity', file)
    expect(read.all).toContain('an identity here reads it')
    expect(read.all).toContain('pgbk upload --to offsite would work')
    const configured = await doctor(
      config.replace('recipients', `identity: ${file}, recipients`),
      '--store',
      'offsite',
    )
    expect(configured.all).toContain('an identity here reads it')
  })

  it('ends with 6 where it is not there', async () => {
    const { status, all } = await doctor('{}', '--store', '/nonexistent/store')
    expect([status, all]).toEqual([6, expect.stringContaining('would not work')])
  })
})
