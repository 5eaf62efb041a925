import { describe, expect, it } from '@jest/globals'
import { type BackupState, storedBackup } from '../../src/catalog/backup.js'
import type { Catalog, NotABackup } from '../../src/catalog/catalog.js'
import type { BackupRecord } from '../../src/catalog/record.js'
import { selectBackup } from '../../src/catalog/select.js'
import { silentProgress } from '../../src/progress.js'
import { aContext, aProof, aRecord, readFrom, thrownBy } from './samples.js'

function aCatalog(backups: [string, BackupState?][], rejected: NotABackup[] = []): Catalog {
  const entries = backups.map(([id, state = 'whole']) => ({
    ...storedBackup(readFrom(aRecord({ id })), state),
    directory: `/r/data/backup/${id}`,
  }))
  return { root: '/r', backups: entries, rejected }
}

const warnings: string[] = []
const selecting = (catalog: Catalog, wanted: string, source?: string) => {
  warnings.length = 0
  const progress = { ...silentProgress, warn: (text: string) => void warnings.push(text) }
  return selectBackup(catalog, wanted, aContext({ cwd: '/home/me', progress }), source).id
}
const three = aCatalog([['20261121T030000Z'], ['20261120T150000Z'], ['20261120T030000Z']])

describe('selectBackup', () => {
  it.each([
    ['20261120T030000Z', '20261120T030000Z'],
    ['20261121', '20261121T030000Z'],
    ['20261120T15', '20261120T150000Z'],
    ['20261120T150000', '20261120T150000Z'],
    ['latest', '20261121T030000Z'],
    ['oldest', '20261120T030000Z'],
  ])('takes %s for %s', (wanted, id) => expect(selecting(three, wanted)).toBe(id))

  it('refuses a prefix that means more than one, and names them', async () => {
    const error = await thrownBy(() => selecting(three, '20261120'))
    expect(error).toMatchObject({ code: 'not-found', message: '20261120 matches more than one backup' })
    expect(error.hint.split('\n').slice(1)).toEqual(['  20261120T150000Z', '  20261120T030000Z'])
  })

  it.each(['../20261120T030000Z', '..', '/etc', '2026112', '', 'newest', '20261120T030000Z/..', '20261120*'])(
    'refuses %j, which can be no id',
    async (wanted) => {
      const error = await thrownBy(() => selecting(three, wanted))
      expect(error).toMatchObject({ code: 'usage', message: `${JSON.stringify(wanted)} is not a backup id` })
    },
  )

  it('says where it looked for one that is not there', async () => {
    expect(await thrownBy(() => selecting(three, '20270101T000000Z'))).toMatchObject({
      code: 'not-found',
      message: 'there is no backup 20270101T000000Z in /r',
      hint: 'See those that are there:\n  pgbk list',
    })
  })

  it('of another root names the commands that look there', async () => {
    const hintOf = async (catalog: Catalog, wanted: string) =>
      (await thrownBy(() => selecting(catalog, wanted, 'my backups'))).hint
    const list = "pgbk list --from 'my backups'"
    expect(await hintOf(three, '20270101T000000Z')).toBe(`See those that are there:\n  ${list}`)
    const rejected = aCatalog([], [{ name: '20270101T000000Z', reason: 'it has no record' }])
    expect(await hintOf(rejected, '20270101T000000Z')).toBe(`See which ones are:\n  ${list}`)
    expect(await hintOf(aCatalog([]), 'latest')).toBe('Name the right root with --from.')
  })

  it('says why a directory that is there is no backup', async () => {
    const catalog = aCatalog([], [{ name: '20261120T030000Z', reason: 'it has no record' }])
    const error = await thrownBy(() => selecting(catalog, '20261120T030000Z'))
    expect(error).toMatchObject({
      code: 'not-found',
      message: '20261120T030000Z is not a whole backup: it has no record',
    })
  })
})

describe('latest', () => {
  it('skips used backups, and says so', () => {
    const catalog = aCatalog([
      ['20261122T030000Z', 'used'],
      ['20261121T030000Z'],
      ['20261120T030000Z', 'used'],
    ])
    expect(selecting(catalog, 'latest')).toBe('20261121T030000Z')
    expect(warnings).toEqual(['latest skips 20261122T030000Z: its state is used'])
  })

  it.each([[aCatalog([])], [aCatalog([['20261122T030000Z', 'used']])]])(
    'is not found where no backup is whole',
    async (catalog) => {
      const error = await thrownBy(() => selecting(catalog, 'latest'))
      expect(error).toMatchObject({ code: 'not-found', message: 'there is no whole backup in /r' })
    },
  )

  it('tells in an empty root how to make the first one', async () => {
    expect((await thrownBy(() => selecting(aCatalog([]), 'oldest'))).hint).toContain('pgbk create')
  })

  it('skips those whose newest check failed, and says so', () => {
    const checked = aChecked([['20261122T030000Z', false], ['20261121T030000Z'], ['20261120T030000Z', true]])
    expect(selecting(checked, 'latest')).toBe('20261121T030000Z')
    expect(warnings).toEqual(['latest skips 20261122T030000Z: its newest check failed'])
  })

  it('skips those whose record has faults, and says so', async () => {
    const catalog = aCatalog([['20261122T030000Z'], ['20261121T030000Z']])
    const broken = { ...aRecord({ id: '20261122T030000Z' }), databases: [{}] } as unknown as BackupRecord
    catalog.backups[0] = {
      ...storedBackup(readFrom(broken), 'whole'),
      directory: '/r/data/backup/20261122T030000Z',
    }
    expect(selecting(catalog, 'latest')).toBe('20261121T030000Z')
    expect(warnings).toEqual([
      expect.stringMatching(/^latest skips 20261122T030000Z: the record is unreadable: /),
    ])
    const error = await thrownBy(() =>
      selecting({ ...catalog, backups: catalog.backups.slice(0, 1) }, 'latest'),
    )
    expect(error.message).toMatch(/or has a record that cannot be used$/)
  })

  it('is not found where all have failed; each can still be named', async () => {
    const checked = aChecked([['20261122T030000Z', false]])
    const error = await thrownBy(() => selecting(checked, 'latest'))
    expect(error).toMatchObject({
      code: 'not-found',
      hint: expect.stringContaining('\n  pgbk show 20261122T030000Z'),
    })
    expect(selecting(checked, '20261122')).toBe('20261122T030000Z')
  })
})

function aChecked(backups: [string, boolean?][]): Catalog {
  const catalog = aCatalog(backups.map(([id]) => [id]))
  for (const [index, [id, ok]] of backups.entries()) {
    const [one] = catalog.backups.slice(index)
    if (one && ok !== undefined) one.proof = aProof({ backup: id, ok })
  }
  return catalog
}
