import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { containConf } from '../../../../src/restore/directory/conf/contain-conf.js'
import { aDirectory } from '../../../helpers/places.js'

function aDataDirectory(files: Record<string, string>): string {
  const data = join(aDirectory(), 'data')
  for (const [name, text] of Object.entries({ 'postgresql.auto.conf': '', ...files })) {
    mkdirSync(dirname(join(data, name)), { recursive: true })
    writeFileSync(join(data, name), text, 'latin1')
  }
  return data
}

const textIn = (data: string, name = 'postgresql.conf') => readFileSync(join(data, name), 'latin1')

describe('the configuration in a data directory', () => {
  it.each([
    "include '/etc/x.conf'",
    "include '\\057etc/x.conf'",
    "include_dir '..'",
    'include x/../../x.conf',
    "include_if_exists = '../x.conf'",
    "include 'open",
    'include',
    "INCLUDE '/etc/x.conf' # why not",
  ])('does not include what is elsewhere: %j', async (line) => {
    const data = aDataDirectory({ 'postgresql.conf': `a = 1\n${line}\nb = \xe4\n` })
    const { notes, settings } = await containConf(data)
    expect(textIn(data)).toBe(`a = 1\n#${line}    # pgbk restore: outside of the data directory\nb = \xe4\n`)
    expect(notes).toHaveLength(1)
    expect([...settings.keys()]).toEqual(['a', 'b'])
  })

  it('nor through a file that it includes, a directory, a link, or postgresql.auto.conf', async () => {
    const data = aDataDirectory({
      'postgresql.conf':
        "include 'a.conf'\ninclude_dir = 'd'\ninclude 'link.conf'\ninclude 'postgresql.conf'",
      'a.conf': "include '/1'\na = 1",
      'd/b.conf': "include '../../2'\nexternal_pid_file = 'x'\nb = 2",
      'd/not-read': "include '/4'",
      'postgresql.auto.conf': "include '/3'\nhba_file = '/x'\nc = 3",
    })
    symlinkSync('/etc/hostname', join(data, 'link.conf'))
    const { settings, notes } = await containConf(data)
    for (const name of ['a.conf', 'd/b.conf', 'postgresql.auto.conf'])
      expect(textIn(data, name)).toMatch(/^#include/)
    expect(textIn(data)).toMatch(
      /^include 'a.conf'\ninclude_dir = 'd'\n#include 'link.conf'.*\ninclude 'postgresql.conf'$/,
    )
    expect(textIn(data, 'postgresql.auto.conf')).toContain("#hba_file = '/x'")
    expect([...settings.keys()].sort()).toEqual(['a', 'b', 'c'])
    expect(notes).toHaveLength(4)
  })
})
