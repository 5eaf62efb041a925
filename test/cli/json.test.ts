import { beforeAll, describe, expect, it } from '@jest/globals'
import type { RootLayout } from '../../src/catalog/layout.js'
import { aBackup, anEmptyRoot, aRecord } from '../catalog/samples.js'
import { asFound } from '../terminal/screens.js'
import { pgbk } from './world.js'

const id = '20261120T030000Z'
let root: RootLayout
beforeAll(() => {
  root = anEmptyRoot()
  aBackup(root, id)
})

const run = async (...argv: string[]) => {
  const { status, stdout, stderr } = await pgbk([...argv, '-C', root.root])
  return { status, document: JSON.parse(stdout), stderr }
}

/** All keys of a document, however deep. */
function keysOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const own = Array.isArray(value) ? [] : Object.keys(value)
  return [...own, ...Object.values(value).flatMap(keysOf)]
}

describe('with --json, stdout', () => {
  it('is the records for list', async () => {
    const { status, document } = await run('list', '--json')
    const record = {
      ...aRecord({ id }),
      ...asFound(aRecord({ id })),
      directory: root.backup(id),
      window: expect.anything(),
    }
    expect({ status, document }).toEqual({
      status: 0,
      document: { backups: [record], rejected: [], root: root.root, free_bytes: expect.any(Number) },
    })
  })

  it('is the record for show, wherever the option stands', async () => {
    const { document } = await run('--json', 'show', 'latest')
    expect(document).toMatchObject({ backup: { id, directory: root.backup(id) } })
    expect((await run('show', 'latest', '--json')).document).toEqual(document)
  })

  it('is what was deleted for delete', async () => {
    const another = '20261121T030000Z'
    aBackup(root, another)
    const { status, document } = await run('delete', another, '--json')
    expect({ status, document }).toMatchObject({ status: 0, document: { deleted: [{ id: another }] } })
  })

  it('has keys in snake_case only', async () => {
    for (const argv of [['list'], ['show', 'latest']]) {
      const { document } = await run(...argv, '--json')
      expect(keysOf(document).filter((key) => !/^[a-z][a-z0-9_]*$/.test(key))).toEqual([])
    }
  })

  it('is an empty list for a root without backups', async () => {
    const { stdout } = await pgbk(['list', '--json', '-C', '/no/such/root'])
    expect(JSON.parse(stdout)).toEqual({ backups: [], rejected: [], root: '/no/such/root', free_bytes: null })
  })

  it.each([
    [3, 'not-found', ['show', '20270101T000000Z']],
    [2, 'usage', ['show', '..']],
    [2, 'usage', ['frobnicate']],
    [2, 'usage', ['list', '--frobnicate']],
    [2, 'config', ['list', '--config', '/no/such/file']],
  ])('is the error when it ends with %i (%s)', async (expected, code, argv) => {
    const { status, document, stderr } = await run('--json', ...argv)
    expect(status).toBe(expected)
    expect(Object.keys(document)).toEqual(['error'])
    expect(document.error).toEqual({
      code,
      message: expect.any(String),
      hint: document.error.hint === null ? null : expect.any(String),
    })
    expect(stderr).toContain(document.error.message)
  })

  it.each([
    ['hold', '20270101T000000Z', '--reason', '--json'],
    ['create', '--label', '--json', '--max-rate', '1k'],
    ['local-run', '20270101T000000Z', '--', '--json'],
    ['list', '--', '--json'],
    ['create', '--label', '--json', '--frobnicate'],
    ['hold', '--reason', '--json'],
    ['list', '-C', '--json', '--frobnicate'],
  ])('is empty when a call that fails has it only as a value: %j', async (...argv) => {
    const { status, stdout, stderr } = await pgbk([...argv])
    expect([status, stdout]).toEqual([expect.any(Number), ''])
    expect(status).toBeGreaterThan(1)
    expect(stderr).toMatch(/^pgbk: /)
  })

  it.each([
    ['list', '--frobnicate', '--json'],
    ['list', '--json', '--frobnicate'],
    ['frobnicate', '--json'],
    ['status', '--max-age', 'banana', '--json'],
    ['-q', '--json', 'hold'],
    ['create', '--json', '--checkpoint', 'slow'],
    ['create', '--checkpoint', 'slow', '--json'],
    ['wal', '--json'],
    ['list', '--json', '--', 'ls'],
    ['create', '--json', '--label'],
  ])('is the error of a call that was not understood, wherever it stands: %j', async (...argv) => {
    const { status, stdout } = await pgbk([...argv])
    expect([status, JSON.parse(stdout).error.code]).toEqual([2, 'usage'])
  })

  it('has no colours, on a terminal either', async () => {
    const { stdout } = await pgbk(['list', '--json', '-C', root.root], { terminal: { columns: 40 } })
    expect(JSON.parse(stdout).backups).toHaveLength(1)
  })
})
