import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { backupLayout } from '../../src/catalog/layout.js'
import { systemCode } from '../../src/errors.js'
import { arrangeConf, makeLinksRelative } from '../../src/snapshot/arrange-snapshot.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

function aSnapshot(files: Record<string, string> = {}) {
  const layout = backupLayout(aDirectory())
  mkdirSync(layout.tablespaceLinks, { recursive: true })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(layout.data, name), content)
  return layout
}

describe('makeLinksRelative', () => {
  it('lets the links lead into the snapshot, wherever that is', async () => {
    const layout = aSnapshot()
    mkdirSync(join(layout.tablespaces, '16385'), { recursive: true })
    writeFileSync(join(layout.tablespaces, '16385', 'PG_VERSION'), '15')
    const link = join(layout.tablespaceLinks, '16385')
    symlinkSync(join(layout.tablespaces, '16385'), link)
    await makeLinksRelative(layout, [16385])
    expect(readlinkSync(link)).toBe('../../tablespaces/16385')
    expect(readFileSync(join(link, 'PG_VERSION'), 'utf8')).toBe('15')
  })

  it('fails when pg_basebackup made no link, or a directory instead', async () => {
    const layout = aSnapshot()
    expect(systemCode(await thrownBy(() => makeLinksRelative(layout, [16385])))).toBe('ENOENT')
    mkdirSync(join(layout.tablespaceLinks, '16386'))
    expect(systemCode(await thrownBy(() => makeLinksRelative(layout, [16386])))).toBe('EINVAL')
  })
})

describe('arrangeConf', () => {
  const arrange = (layout: ReturnType<typeof aSnapshot>, originals = [{ copy: 'x', inData: 'missing' }]) =>
    arrangeConf(layout, { postgresqlConf: 'port = 5432\n', originals })

  it('writes a configuration of three files', async () => {
    const layout = aSnapshot()
    await arrange(layout)
    expect(readdirSync(layout.conf).sort()).toEqual([
      'original',
      'pg_hba.conf',
      'pg_ident.conf',
      'postgresql.conf',
    ])
    expect(readFileSync(join(layout.conf, 'postgresql.conf'), 'utf8')).toBe('port = 5432\n')
  })

  it('empties postgresql.auto.conf, and keeps what was in it', async () => {
    const layout = aSnapshot({ 'postgresql.auto.conf': "archive_command = 'x'\n" })
    await arrange(layout)
    expect(readFileSync(join(layout.data, 'postgresql.auto.conf'), 'utf8')).toBe('')
    const kept = readFileSync(join(layout.originalConf, 'postgresql.auto.conf'), 'utf8')
    expect(kept).toBe("archive_command = 'x'\n")
  })

  it.each(['standby.signal', 'recovery.signal'])('takes %s out of the data directory', async (name) => {
    const layout = aSnapshot({ [name]: '' })
    await arrange(layout)
    expect(existsSync(join(layout.data, name))).toBe(false)
    expect(readdirSync(layout.originalConf)).toEqual([name])
  })

  it('keeps the files of the server, from the data directory or as they were read', async () => {
    const layout = aSnapshot({ 'pg_hba.conf': 'local all all peer\n' })
    const originals = [
      { copy: 'pg_hba.conf', inData: 'pg_hba.conf' },
      { copy: 'conf.d/more.conf', content: Buffer.from('work_mem = 1MB\n') },
      { copy: 'unread.conf' },
    ]
    const written = await arrangeConf(layout, { postgresqlConf: '', originals })
    expect(written).toEqual(['pg_hba.conf', 'conf.d/more.conf'])
    const kept = (name: string) => readFileSync(join(layout.originalConf, name), 'utf8')
    expect([kept('pg_hba.conf'), kept('conf.d/more.conf')]).toEqual([
      'local all all peer\n',
      'work_mem = 1MB\n',
    ])
    expect(existsSync(join(layout.data, 'pg_hba.conf'))).toBe(true)
  })
})
