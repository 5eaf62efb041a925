import { mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { RootLayout } from '../../src/catalog/layout.js'
import { noteRestore, restoreClaimsIn } from '../../src/catalog/restore-note.js'
import type { ProcessMark } from '../../src/system/process/process-mark.js'
import { aDirectory } from '../helpers/places.js'
import { until } from '../helpers/traces.js'
import { elsewhere, gone } from '../restore/instance/samples.js'
import { anEmptyRoot } from './samples.js'

const id = '20261120T030000Z'
const notesIn = (root: RootLayout) => readdirSync(root.restores).sort()
const statesIn = (root: RootLayout) => restoreClaimsIn(root).map(({ state }) => state)

/** The note of another process. */
function aNote(root: RootLayout, mark: ProcessMark, data: string): void {
  mkdirSync(root.restores, { recursive: true })
  writeFileSync(join(root.restores, `${id}-1.json`), JSON.stringify({ ...mark, backup: id, data }))
}

/** A data directory that is restored: it has its last file, and says of which backup it has still to replay WAL. */
function aFilledDirectory(backup?: string): string {
  const data = aDirectory()
  mkdirSync(join(data, 'global'))
  writeFileSync(join(data, 'global/pg_control'), '')
  if (backup === undefined) return data
  writeFileSync(join(data, 'recovery.signal'), '')
  writeFileSync(join(data, 'postgresql.auto.conf'), `restore_command = 'cp /srv/${backup}/wal/%f %p'`)
  return data
}

describe('the note of a restore', () => {
  it('says what needs a backup until it is taken back', async () => {
    const root = anEmptyRoot()
    const takeBack = await noteRestore(root, id, '/srv/main')
    const [name = ''] = notesIn(root)
    expect(name).toMatch(/^20261120T030000Z-\d{10}\.json$/)
    const note = join(root.restores, name)
    expect(restoreClaimsIn(root)).toEqual([
      { backup: id, data: '/srv/main', state: 'being filled', archives: [], note },
    ])
    await takeBack()
    expect(notesIn(root)).toEqual([])
  })

  it('has a name of its own, also beside one of another container with the same pid', async () => {
    const root = anEmptyRoot()
    aNote(root, elsewhere, '/srv/main')
    for (const data of ['/srv/one', '/srv/two']) await noteRestore(root, id, data)
    expect(notesIn(root)).toHaveLength(3)
  })

  it('appears whole: another restore would sweep half of it', async () => {
    const root = anEmptyRoot()
    mkdirSync(root.restores)
    const seen: string[] = []
    const watcher = watch(root.restores, (event, name) => void seen.push(`${event} ${name}`))
    await noteRestore(root, id, '/srv/main')
    const [name = ''] = notesIn(root)
    await until('its rename is seen', async () => seen.includes(`rename ${name}`))
    watcher.close()
    expect(seen).not.toContain(`change ${name}`)
    expect(JSON.parse(readFileSync(join(root.restores, name), 'utf8')).data).toBe('/srv/main')
  })

  it('is left alone by others while it is being written', async () => {
    const root = anEmptyRoot()
    mkdirSync(root.restores)
    const draft = `.${id}-1.json`
    writeFileSync(join(root.restores, draft), '')
    await noteRestore(root, id, '/srv/main')
    expect(notesIn(root)).toContain(draft)
    expect(statesIn(root)).toEqual(['being filled'])
  })

  it('is swept when its process is gone, and nothing has to be replayed', async () => {
    const root = anEmptyRoot()
    aNote(root, gone, aFilledDirectory())
    expect(statesIn(root)).toEqual([])
    await noteRestore(root, id, '/srv/main')
    expect(notesIn(root)).toHaveLength(1)
  })

  it.each([
    ['that is not there', () => '/not/there', ['perhaps being filled']],
    ['that is not whole yet', () => aDirectory(), ['perhaps being filled']],
    ['that has still to replay', () => aFilledDirectory(id), ['not recovered']],
    ['that has done so', () => aFilledDirectory(), []],
  ])('of another container counts for a directory %s', (_what, data, states) => {
    const root = anEmptyRoot()
    aNote(root, elsewhere, data())
    expect(statesIn(root)).toEqual(states)
  })
})
