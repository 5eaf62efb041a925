import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { confFileIfThere, readConfFile } from '../../../src/snapshot/conf/conf-file.js'
import { mostBytes } from '../../../src/system/files/read-small.js'
import { thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

describe('a configuration file of a backup', () => {
  it('is read whole', () => {
    const inside = aDirectory()
    mkdirSync(join(inside, 'conf.d'))
    writeFileSync(join(inside, 'conf.d/a'), 'text')
    writeFileSync(join(inside, 'empty'), '')
    expect(readConfFile(join(inside, 'conf.d/a'), inside).toString()).toBe('text')
    expect(readConfFile(join(inside, 'empty'), inside)).toHaveLength(0)
    expect(confFileIfThere(join(inside, 'conf.d/b'), inside)).toBeUndefined()
    expect(confFileIfThere(join(inside, 'no/such'), inside)).toBeUndefined()
  })

  const strange: [string, (path: string) => void][] = [
    ['a link', (path) => symlinkSync('/etc/hostname', path)],
    ['a link that leads nowhere', (path) => symlinkSync('/nowhere', path)],
    ['a pipe', (path) => void execaSync('mkfifo', [path])],
    ['a directory', (path) => mkdirSync(path)],
    [
      'a file without end',
      (path) => {
        writeFileSync(path, '')
        truncateSync(path, mostBytes.conf + 1)
      },
    ],
  ]
  it.each(strange)('is not read when it is %s', async (_what, make) => {
    const inside = aDirectory()
    make(join(inside, 'file'))
    expect(await thrownBy(() => confFileIfThere(join(inside, 'file'), inside))).toMatchObject({
      code: 'damaged',
    })
  })

  it('is not read through a directory that is a link, or from elsewhere', async () => {
    const inside = join(aDirectory(), 'inside')
    mkdirSync(inside)
    symlinkSync('/etc', join(inside, 'etc'))
    for (const path of [join(inside, 'etc/hostname'), '/etc/hostname', join(inside, '../x')])
      expect(await thrownBy(() => readConfFile(path, inside))).toMatchObject({ code: 'damaged' })
  })
})
