import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { instanceLayout, type RootLayout } from '../../../src/catalog/layout.js'
import { silentProgress } from '../../../src/progress.js'
import { checkName } from '../../../src/restore/instance/instance-directory.js'
import { leftOver, removeInstance, sweepInstances } from '../../../src/restore/instance/instance-remains.js'
import { aContext, anEmptyRoot, asOrdinaryUser } from '../../catalog/samples.js'
import { anInstance, elsewhere, gone } from './samples.js'

const namesIn = ({ instances }: RootLayout) => readdirSync(instances)
const now = () => new Date()

/** What is left of a restore or delete. @param marker as a text. */
function remains(root: RootLayout, name: string, marker: string) {
  const layout = instanceLayout(join(root.instances, name))
  mkdirSync(join(layout.data, 'base'), { recursive: true })
  writeFileSync(layout.marker, marker)
  return layout
}

describe('an instance', () => {
  it('is removed by one of several, and the others do not fail', async () => {
    const root = anEmptyRoot()
    const layout = anInstance(root, 'staging')
    const ends = await Promise.all([1, 2, 3].map(() => removeInstance(layout)))
    expect(ends).toEqual([true, false, false])
    expect(namesIn(root)).toEqual([])
  })

  it('that is being removed has left its name to others, and is not swept', async () => {
    const root = anEmptyRoot()
    const removal = removeInstance(anInstance(root, 'staging'))
    const [name = ''] = namesIn(root)
    expect(name).toMatch(/^\.staging\.\d{10}\.partial$/)
    expect(leftOver(instanceLayout(join(root.instances, name)), name, now())).toBeUndefined()
    checkName(root.root, 'staging', aContext({ now }))
    expect(await removal).toBe(true)
  })
})

describe('what a restore or delete has left', () => {
  it('goes though its marker cannot be written to', async () => {
    const root = anEmptyRoot()
    chmodSync(root.data, 0o777)
    await asOrdinaryUser(async () => {
      const layout = remains(root, '.staging.partial', JSON.stringify(gone))
      chmodSync(layout.marker, 0o400)
      expect(await removeInstance(layout)).toBe(true)
    })
    expect(namesIn(root)).toEqual([])
  })
})

describe('a sweep', () => {
  it('of several at the same time says once what was removed', async () => {
    const root = anEmptyRoot()
    const names = ['.one.partial', '.two.partial', '.three.1234567890.partial']
    for (const name of names) remains(root, name, JSON.stringify(gone))
    const deleted = anInstance(root, 'four')
    renameSync(deleted.record, deleted.marker)
    const said: string[] = []
    const context = aContext({ now, progress: { ...silentProgress, say: (text) => void said.push(text) } })
    await Promise.all([1, 2, 3].map(() => sweepInstances(root.root, context)))
    expect(namesIn(root)).toEqual([])
    const lines = [...names, 'four'].map((name) =>
      expect.stringContaining(`removed ${join(root.instances, name)},`),
    )
    expect(said.sort()).toEqual(expect.arrayContaining(lines))
    expect(said).toHaveLength(4)
  })

  it.each([
    ['a restore that may go on in another container', elsewhere, 'elsewhere'],
    ['a delete there, with which anybody may go on', { ...elsewhere, made_by: 'delete' }, 'removable'],
    ['a delete that was killed', { ...gone, made_by: 'delete' }, 'removable'],
  ])('knows %s', (_what, marker, expected) => {
    const name = '.staging.partial'
    const layout = remains(anEmptyRoot(), name, JSON.stringify(marker))
    expect(leftOver(layout, name, now())).toBe(expected)
  })

  it('leaves alone what has just gone, and a file that is no directory', () => {
    const root = anEmptyRoot()
    mkdirSync(root.instances)
    const path = join(root.instances, 'notes.txt')
    writeFileSync(path, '')
    utimesSync(path, 0, 0)
    for (const name of ['notes.txt', '.gone.partial', 'gone'])
      expect(leftOver(instanceLayout(join(root.instances, name)), name, now())).toBeUndefined()
    expect(existsSync(path)).toBe(true)
  })
})
