import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { checkNotInUse, findInUse } from '../../src/removal/in-use.js'
import { readInstances } from '../../src/restore/instance/instance.js'
import { markOfThisProcess } from '../../src/system/process/process-mark.js'
import { aBackup, aContext, anEmptyRoot, thrownBy } from '../catalog/samples.js'
import { anInstance, aServerProcess, elsewhere } from '../restore/instance/samples.js'

const id = '20261120T030000Z'

describe('a backup is in use', () => {
  const usesIn = (root: ReturnType<typeof anEmptyRoot>) =>
    findInUse(root.root, aContext())({ id, directory: root.backup(id) }).map(({ by }) => by)

  it('by an instance that is being stopped before it has replayed all', async () => {
    const root = anEmptyRoot()
    const { data } = anInstance(root, 'staging')
    writeFileSync(join(data, 'recovery.signal'), '')
    aServerProcess(data, 'stopping')
    expect(readInstances(root.root).instances).toMatchObject([{ state: 'stopping' }])
    expect(usesIn(root)).toEqual(['the instance staging, which has not replayed its WAL yet'])
  })

  it('by an instance that is published, and its note taken back, while the notes are read', async () => {
    for (let round = 0; round < 10; round++) {
      const root = anEmptyRoot()
      const { directory, data } = anInstance(root, '.staging.partial')
      writeFileSync(join(data, 'recovery.signal'), '')
      mkdirSync(root.restores)
      const note = join(root.restores, `${id}-1.json`)
      const published = join(root.instances, 'staging')
      writeFileSync(note, JSON.stringify({ ...markOfThisProcess(), backup: id, data: published }))
      const restore = execa('sh', ['-c', 'mv "$1" "$2"; rm "$0"', note, directory, published])
      let isOver = false
      void restore.then(() => {
        isOver = true
      })
      while (!isOver) {
        expect(usesIn(root)).not.toEqual([])
        await setImmediate()
      }
      expect(usesIn(root)).toEqual(['the instance staging, which has not replayed its WAL yet'])
    }
  })

  it('by a restore whose WAL lies in its archive', () => {
    const root = anEmptyRoot()
    mkdirSync(root.restores)
    const note = { ...elsewhere, backup: '20261119T030000Z', archives: [id], data: '/srv/main' }
    writeFileSync(join(root.restores, `${note.backup}-1.json`), JSON.stringify(note))
    expect(usesIn(root)).toEqual([expect.stringContaining('a restore into /srv/main')])
  })

  it('by an instance that has still to replay WAL from its archive', () => {
    const root = anEmptyRoot()
    const { data, recoveryConf } = anInstance(root, 'staging', '20261119T030000Z')
    writeFileSync(join(data, 'recovery.signal'), '')
    expect(usesIn(root)).toEqual([])
    writeFileSync(recoveryConf, `restore_command = 'd=/srv/data/backup/${id}/wal; ...'`)
    expect(usesIn(root)).toEqual([expect.stringContaining('the instance staging')])
  })

  it('by a restore that may go on in another container, and the error names the note to remove', async () => {
    const root = anEmptyRoot()
    const layout = aBackup(root, id)
    mkdirSync(root.restores)
    const note = join(root.restores, `${id}-1.json`)
    writeFileSync(note, JSON.stringify({ ...elsewhere, backup: id, data: '/srv/main' }))
    const error = await thrownBy(() =>
      checkNotInUse([{ id, directory: layout.directory }], root.root, aContext()),
    )
    expect(error.message).toContain('a restore into /srv/main, which may be running in another container')
    expect(error.hint).toContain(`rm ${note}`)
  })
})
