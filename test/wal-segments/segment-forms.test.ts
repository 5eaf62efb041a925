import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import {
  fileOf,
  filesOf,
  finishedForms,
  isUnfinishedFile,
  segmentFileOf,
  segmentForms,
  segmentIn,
} from '../../src/wal-segments/segment-forms.js'

const name = '00000001000000000000000A'

describe('the file of a segment', () => {
  it.each(segmentForms)('in the form %s is known by its name', (form) => {
    expect(segmentFileOf(fileOf(name, form))).toEqual({ name, form })
  })

  it('is looked for in the form that is read fastest first, the unfinished one last', () => {
    expect(filesOf(name)).toEqual([name, `${name}.gz`, `${name}.zst`, `${name}.partial`])
    expect(filesOf(name, finishedForms)).toEqual([name, `${name}.gz`, `${name}.zst`])
  })

  it.each([
    '00000002.history',
    `${name}.00000028.backup`,
    `${name}.gz.partial`,
    `.pgbk-${name}.gz.tmp`,
    name.slice(1),
    `${name}0`,
    name.toLowerCase(),
    '',
  ])('is not %p', (file) => expect(segmentFileOf(file)).toBeUndefined())

  it.each([
    ...segmentForms.map((form) => [fileOf(name, form), name, form === 'partial']),
    [`${name}.gz.partial`, name, true],
    ['00000002.history', undefined, false],
  ] as [string, string | undefined, boolean][])(
    '%s has WAL of the segment %s; unfinished: %s',
    (file, segment, unfinished) => {
      expect([segmentIn(file), isUnfinishedFile(file)]).toEqual([segment, unfinished])
    },
  )
})

/** What spells such an ending, and means no segment of an archive. */
const others: Record<string, string> = {
  'catalog/catalog.ts': 'directories of creates',
  'catalog/layout.ts': 'directories of creates',
  'catalog/partial.ts': 'directories of creates',
  'cli/commands/download.ts': 'archives of whole backups',
  'doctor/check-root.ts': 'directories of creates',
  'restore/instance/instance-directory.ts': 'directories of instances',
  'restore/instance/instance-remains.ts': 'directories of instances',
  'snapshot/conf/conf-rules.ts': 'commands of earlier versions',
  'snapshot/readme.ts': 'what people read',
  'wal-receiver/choose-compression.ts': 'what people read',
  'place/ssh/remote-scripts.ts': 'directories of creates',
  'download/publish-download.ts': 'directories of downloads',
  'place/tar-archive/compression.ts': 'archives of whole backups',
}

it('is told by its name in one place alone', () => {
  const src = fileURLToPath(new URL('../../src', import.meta.url))
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const spelling = files.filter((file) => {
    const code = readFileSync(join(src, file), 'utf8').replace(/^\s*(?:\/?\*|\/\/).*$/gm, '')
    return /(?<![\w)\]?.])\.(?:gz|zst|partial)\b/.test(code)
  })
  const known = ['wal-segments/segment-forms.ts', ...Object.keys(others)]
  expect(spelling.filter((file) => !known.includes(file))).toEqual([])
})
