import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { readBackupLabel } from '../../src/snapshot/backup-label.js'
import { readWalRange } from '../../src/snapshot/manifest/manifest.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

const label = `START WAL LOCATION: 16/B3000028 (file 0000000300000016000000B3)
CHECKPOINT LOCATION: 16/B3000060
BACKUP METHOD: streamed
BACKUP FROM: primary
START TIME: 2026-11-20 03:00:00 UTC
LABEL: pgbk 20261120T030000Z
START TIMELINE: 3
`

function aFile(content: string): string {
  const file = join(aDirectory(), 'file')
  writeFileSync(file, content)
  return file
}

describe('a backup_label', () => {
  it('tells where the backup starts', async () => {
    expect(await readBackupLabel(aFile(label))).toEqual({
      startLsn: '16/B3000028',
      checkpointLsn: '16/B3000060',
      timeline: 3,
      fromStandby: false,
    })
  })

  it('tells that it comes from a standby', async () => {
    const file = aFile(label.replace('FROM: primary', 'FROM: standby'))
    expect(await readBackupLabel(file)).toMatchObject({ fromStandby: true })
  })

  it.each(['START WAL LOCATION', 'CHECKPOINT LOCATION', 'START TIMELINE', 'BACKUP FROM'])(
    'is damaged without %s',
    async (field) => {
      const lines = label.split('\n').filter((line) => !line.startsWith(field))
      const error = await thrownBy(() => readBackupLabel(aFile(lines.join('\n'))))
      expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining(field) })
    },
  )
})

const walRange = (timeline: number) =>
  `{ "Timeline": ${timeline}, "Start-LSN": "0/3000028", "End-LSN": "0/3000100" }`

function aManifest(ranges: string[], files = 2): string {
  const entries = Array.from({ length: files }, (_, index) => {
    const checksum = '"Checksum-Algorithm": "CRC32C", "Checksum": "a5bcd3ef"'
    return `{ "Path": "base/5/ä${index}", "Size": 8192, "Last-Modified": "2026-11-20 03:00:00 GMT", ${checksum} }`
  })
  return aFile(`{ "PostgreSQL-Backup-Manifest-Version": 1,
"Files": [
${entries.join(',\n')}
],
"WAL-Ranges": [
${ranges.join(',\n')}${ranges.length > 0 ? '\n' : ''}],
"Manifest-Checksum": "${'0'.repeat(64)}"}
`)
}

describe('a backup_manifest', () => {
  it.each([2, 600, 5000])('tells the WAL that the backup needs, behind %i files', async (files) => {
    expect(await readWalRange(aManifest([walRange(2)], files))).toEqual({
      timeline: 2,
      startLsn: '0/3000028',
      endLsn: '0/3000100',
    })
  })

  it.each([
    ['no', []],
    ['two', [walRange(1), walRange(2)]],
  ])('is damaged with %s ranges', async (_count, ranges) => {
    const error = await thrownBy(() => readWalRange(aManifest(ranges)))
    expect(error).toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(`${ranges.length} WAL ranges instead of one`),
    })
  })

  it.each(['', '{ "Files": [', '"WAL-Ranges": [\n{ "Timeline": 1, '])('is damaged as %j', async (content) => {
    expect(await thrownBy(() => readWalRange(aFile(content)))).toMatchObject({ code: 'damaged' })
  })
})
