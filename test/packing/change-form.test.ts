import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { backupFiles } from '../../src/catalog/layout.js'
import { sweepForms } from '../../src/packing/change-form.js'
import { silentProgress } from '../../src/progress.js'
import { aBackup, aContext, anEmptyRoot } from '../catalog/samples.js'

describe('what killed changes of a form have left', () => {
  it('goes where it can, and keeps nothing else from being done', async () => {
    const root = anEmptyRoot()
    const marked = (id: string) => {
      const { directory } = aBackup(root, id)
      const files = backupFiles(directory)
      writeFileSync(files.formMarker, '{}')
      writeFileSync(files.image, 'half an image')
      return files
    }
    const whole = marked('20261120T030000Z')
    const withoutRecord = marked('20261119T030000Z')
    rmSync(withoutRecord.record)
    const deleted = marked('20261118T030000Z')
    rmSync(deleted.record)
    writeFileSync(deleted.marker, '{}')
    writeFileSync(root.backup('20261117T030000Z'), 'no directory')
    mkdirSync(root.backup('20261116T030000Z'))
    const warnings: string[] = []
    const progress = { ...silentProgress, warn: (text: string) => void warnings.push(text) }
    await sweepForms(root, aContext({ progress }))
    const left = [whole, withoutRecord, deleted].map(({ image, formMarker }) =>
      [image, formMarker].map(existsSync),
    )
    expect(left).toEqual([
      [false, false],
      [true, true],
      [true, true],
    ])
    expect(warnings).toEqual([expect.stringContaining('has left in 20261119T030000Z stays')])
  })
})
