import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { PgbkError } from '../../../src/errors.js'
import { watchTar } from '../../../src/place/tar-archive/watch-tar.js'
import { bytePath } from '../../../src/system/paths/byte-path.js'
import { aDirectory } from '../../helpers/places.js'

const id = '20261120T030000Z'
const top = `data/backup/${id}`
const listing = {
  directories: [bytePath('snapshot')],
  files: [bytePath('snapshot/a')],
  links: [bytePath('snapshot/data/pg_tblspc/16385')],
}

/** A tar of what a script makes and names. */
function tarOf(make: (directory: string) => void, args: string[]): Uint8Array {
  const directory = aDirectory()
  mkdirSync(join(directory, top, 'snapshot/data/pg_tblspc'), { recursive: true })
  make(directory)
  return execaSync('tar', ['-P', '--no-recursion', '-cf', '-', '-C', directory, ...args], {
    encoding: 'buffer',
  }).stdout
}

const watched = (bytes: Uint8Array) => {
  const watch = watchTar(id, listing)
  watch.look(Buffer.from(bytes))
  return watch.end().sizes
}
const link = `${top}/snapshot/data/pg_tblspc/16385`
const file = `${top}/snapshot/a`
const evil = (directory: string) => writeFileSync(join(directory, 'evil'), 'evil')

describe('the tar of an archive', () => {
  it('has the entries that are listed', () => {
    const tar = tarOf(
      (directory) => {
        writeFileSync(join(directory, file), 'abc')
        symlinkSync('../../tablespaces/16385', join(directory, link))
      },
      [top, `${top}/snapshot`, file, link],
    )
    expect(watched(tar).get(bytePath('snapshot/a'))).toBe(3)
  })

  it.each([
    ['another file', evil, ['evil']],
    ['a name that climbs out', evil, ['--transform', 's,^.*$,../../evil,', 'evil']],
    ['an absolute name', evil, ['--transform', 's,^.*$,/tmp/evil,', 'evil']],
    [
      'a link in the place of a file',
      (directory: string) => symlinkSync('/etc', join(directory, file)),
      [file],
    ],
    [
      'a link that leads elsewhere',
      (directory: string) => symlinkSync('/etc', join(directory, link)),
      [link],
    ],
    ['a pipe', (directory: string) => void execaSync('mkfifo', [join(directory, file)]), [file]],
  ])('with %s is refused before it is passed on', (_, make, args) => {
    expect(() => watched(tarOf(make, args))).toThrow(PgbkError)
  })
})
