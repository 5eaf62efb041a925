import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { backupLayout, type RootLayout } from '../../src/catalog/layout.js'
import { discard, findLeftOvers, publish, startPartial } from '../../src/catalog/partial.js'
import { PgbkError } from '../../src/errors.js'
import { aBackup, anEmptyRoot, aRecord, asOrdinaryUser, thrownBy } from './samples.js'

const id = '20261120T030000Z'
const start = (root: RootLayout) =>
  startPartial(root, new Date('2026-11-20T03:00:00Z'), {
    made_by: 'create',
    application_name: 'pgbk_create_1',
  })
const record = JSON.stringify(aRecord({ id }))
const idsIn = (root: RootLayout) => readCatalog(root.root).backups.map((backup) => backup.id)
const namesIn = (root: RootLayout) => readdirSync(root.backups)

describe('startPartial', () => {
  it('makes a hidden directory with nothing in it but a marker', async () => {
    const root = anEmptyRoot()
    const partial = await start(root)
    expect(partial.id).toBe(id)
    expect(namesIn(root)).toEqual([`.${id}.partial`])
    expect(readdirSync(partial.layout.directory)).toEqual(['.pgbk-partial.json'])
    const marker = JSON.parse(readFileSync(partial.layout.marker, 'utf8'))
    expect(marker).toEqual({ made_by: 'create', application_name: 'pgbk_create_1' })
  })

  it('takes the next second that no backup, partial or download has', async () => {
    const root = anEmptyRoot()
    aBackup(root, id)
    mkdirSync(root.partial('20261120T030001Z'))
    mkdirSync(join(root.backups, '.20261120T030002Z.download'))
    expect((await start(root)).id).toBe('20261120T030003Z')
  })
})

describe('publish', () => {
  it('turns a partial into a listed backup', async () => {
    const root = anEmptyRoot()
    const { directory, marker } = await publish(root, await start(root), record)
    expect(directory).toBe(root.backup(id))
    expect(namesIn(root)).toEqual([id])
    expect(existsSync(marker)).toBe(false)
    expect(idsIn(root)).toEqual([id])
  })

  it('that must not happen any more leaves what can be thrown away', async () => {
    const root = anEmptyRoot()
    const partial = await start(root)
    const lost = async () => {
      throw new PgbkError('lock-lost', 'lost')
    }
    expect(await thrownBy(() => publish(root, partial, record, lost))).toMatchObject({ code: 'lock-lost' })
    expect([idsIn(root), existsSync(partial.layout.marker)]).toEqual([[], true])
  })

  it.each([
    ['the record', (root: RootLayout) => mkdirSync(backupLayout(root.partial(id)).record)],
    ['the marker', (root: RootLayout) => rmSync(backupLayout(root.partial(id)).marker)],
    ['the rename', (root: RootLayout) => mkdirSync(join(root.backup(id), 'in the way'), { recursive: true })],
  ])('that fails at %s leaves nothing that is listed', async (_step, spoil) => {
    const root = anEmptyRoot()
    const partial = await start(root)
    spoil(root)
    await thrownBy(() => publish(root, partial, record))
    expect(idsIn(root)).toEqual([])
    expect(existsSync(partial.layout.directory)).toBe(true)
    await discard(partial.layout)
    expect(existsSync(partial.layout.directory)).toBe(false)
  })
})

describe('discard', () => {
  it('removes a partial with everything in it', async () => {
    const root = anEmptyRoot()
    const { layout } = await start(root)
    mkdirSync(join(layout.data, 'base'), { recursive: true })
    writeFileSync(join(layout.data, 'base', 'file'), 'x')
    await discard(layout)
    expect(namesIn(root)).toEqual([])
  })

  it('removes what has a name that is no UTF-8', async () => {
    const root = anEmptyRoot()
    const { layout } = await start(root)
    const odd = Buffer.concat([Buffer.from(`${layout.directory}/a`), Buffer.from([0xff])])
    mkdirSync(odd)
    writeFileSync(Buffer.concat([odd, Buffer.from('/b'), Buffer.from([0xfe])]), 'x')
    await discard(layout)
    expect(namesIn(root)).toEqual([])
  })

  it('keeps the marker until all else is gone', async () => {
    const root = anEmptyRoot()
    chmodSync(root.backups, 0o777)
    const { layout } = await asOrdinaryUser(() => start(root))
    await asOrdinaryUser(() => mkdirSync(join(layout.data, 'base'), { recursive: true }))
    chmodSync(layout.data, 0o500)
    await thrownBy(() => asOrdinaryUser(() => discard(layout)))
    expect(readdirSync(layout.directory).sort()).toEqual(['.pgbk-partial.json', 'snapshot'])
    chmodSync(layout.data, 0o700)
    await asOrdinaryUser(() => discard(layout))
    expect(namesIn(root)).toEqual([])
  })
})

describe('discard, while others still write,', () => {
  const fill = (directory: string) => {
    mkdirSync(directory, { recursive: true })
    for (let count = 0; count < 300; count++) writeFileSync(join(directory, `${count}`), 'x')
  }
  /** Does so each time that others get their turn, until it says that it is over. */
  const whenever = (work: () => boolean) => {
    const again = () => void (work() || setImmediate(again))
    again()
  }

  it('removes what comes into a directory that it is just removing', async () => {
    const root = anEmptyRoot()
    const { layout } = await start(root)
    fill(layout.wal)
    let count = 1000
    whenever(() => {
      if (count < 1100 && existsSync(layout.wal)) writeFileSync(join(layout.wal, `${count++}`), 'x')
      return count === 1100 || !existsSync(layout.wal)
    })
    await discard(layout)
    expect(count).toBeGreaterThan(1000)
    expect(namesIn(root)).toEqual([])
  })

  it('removes what comes beside that', async () => {
    const root = anEmptyRoot()
    const { layout } = await start(root)
    const both = [layout.wal, layout.snapshot]
    both.forEach(fill)
    whenever(() => {
      const hasBegun = !both.every((directory) => existsSync(directory))
      if (hasBegun) writeFileSync(layout.proof, '{}')
      return hasBegun
    })
    await discard(layout)
    expect(namesIn(root)).toEqual([])
  })

  it('does not mind that somebody else has removed the last of it', async () => {
    const root = anEmptyRoot()
    const { layout } = await start(root)
    await Promise.all([discard(layout), discard(layout)])
    expect(namesIn(root)).toEqual([])
  })
})

describe('findLeftOvers', () => {
  const found = async (root: RootLayout) =>
    (await findLeftOvers(root)).map(({ name, marker }) => [name, marker?.made_by])

  it('finds a create that was killed, with the name of its connections', async () => {
    const root = anEmptyRoot()
    await start(root)
    const [leftOver] = await findLeftOvers(root)
    expect(leftOver).toMatchObject({
      name: `.${id}.partial`,
      marker: { made_by: 'create', application_name: 'pgbk_create_1' },
    })
  })

  it.each(['', '{"made_by": "cre'])(
    'finds one that was killed while it wrote its marker: %j',
    async (text) => {
      const root = anEmptyRoot()
      writeFileSync((await start(root)).layout.marker, text)
      expect(await found(root)).toEqual([[`.${id}.partial`, 'create']])
    },
  )

  it('finds one that was killed just before its backup was published', async () => {
    const root = anEmptyRoot()
    const { layout } = await start(root)
    writeFileSync(layout.record, record)
    rmSync(layout.marker)
    expect(await found(root)).toEqual([[`.${id}.partial`, 'create']])
  })

  it('removes one that was killed before it wrote anything', async () => {
    const root = anEmptyRoot()
    mkdirSync(root.partial(id))
    expect(await found(root)).toEqual([])
    expect(namesIn(root)).toEqual([])
  })

  it('does not mind what goes while it looks', async () => {
    const root = anEmptyRoot()
    for (let second = 10; second < 60; second++) mkdirSync(root.partial(`20261120T0300${second}Z`))
    expect(await Promise.all([found(root), found(root), found(root)])).toEqual([[], [], []])
    expect(namesIn(root)).toEqual([])
  })

  it('names what nothing shows to be made by pgbk, and keeps it', async () => {
    const root = anEmptyRoot()
    mkdirSync(join(root.partial(id), 'photos'), { recursive: true })
    writeFileSync(join(root.backups, '.notes.partial'), 'a file')
    expect((await found(root)).sort()).toEqual([
      [`.${id}.partial`, undefined],
      ['.notes.partial', undefined],
    ])
    expect(existsSync(join(root.partial(id), 'photos'))).toBe(true)
  })

  it('finds a delete that was killed after it took the record away', async () => {
    const root = anEmptyRoot()
    const { marker, record: file } = aBackup(root, id)
    writeFileSync(marker, '{"made_by": "delete"}')
    rmSync(file)
    expect(await found(root)).toEqual([[id, 'delete']])
  })

  it('clears away what a delete leaves that was killed before its very last step', async () => {
    const root = anEmptyRoot()
    mkdirSync(root.backup(id))
    await findLeftOvers(root)
    expect(namesIn(root)).toEqual([])
  })

  it('leaves whole backups, their deletes that have only begun, and strange directories alone', async () => {
    const root = anEmptyRoot()
    aBackup(root, id)
    writeFileSync(aBackup(root, '20261121T030000Z').marker, '{"made_by": "delete"}')
    mkdirSync(join(root.backups, 'strange'))
    writeFileSync(root.createLock, '')
    expect(await found(root)).toEqual([])
    expect(idsIn(root)).toEqual(['20261121T030000Z', id])
    expect(namesIn(root)).toContain('strange')
  })
})
