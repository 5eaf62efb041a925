import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { findInPath, searchPath, searchPathFor } from '../../../src/system/paths/search-path.js'
import { runProgram } from '../../../src/system/program/run-program.js'
import { aContext } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'

it.each([
  ['/a:/b', ['/a', '/b']],
  [':/a::bin:./x:../y:.:/b:', ['/a', '/b']],
  ['bin:', ['/usr/local/bin', '/usr/bin', '/bin']],
  ['', ['/usr/local/bin', '/usr/bin', '/bin']],
  [undefined, ['/usr/local/bin', '/usr/bin', '/bin']],
])('of PATH=%j only what means the same everywhere is kept', (path, places) =>
  expect(searchPath(path)).toEqual(places),
)

it('a program is not found by a relative entry', async () => {
  const directory = aDirectory()
  writeFileSync(join(directory, 'cat'), '#!/bin/sh\necho evil\n', { mode: 0o755 })
  const options = { env: { PATH: `:.:/usr/bin:/bin` }, cwd: directory, input: 'good' }
  expect(await runProgram('cat', [], options)).toMatchObject({ status: 0, stdout: 'good' })
})

it('a program is in PATH where it could be started', () => {
  const directory = aDirectory()
  writeFileSync(join(directory, 'tool'), '', { mode: 0o755 })
  writeFileSync(join(directory, 'text'), '', { mode: 0o644 })
  mkdirSync(join(directory, 'place'))
  const found = ['tool', 'text', 'place', 'other'].map((program) => findInPath(program, `/bin:${directory}`))
  expect(found).toEqual([join(directory, 'tool'), undefined, undefined, undefined])
  expect(findInPath('sh', undefined)).toMatch(/^\/(usr\/)?bin\/sh$/)
})

it('what root becomes looks for programs only where others cannot put any', () => {
  const [own, open] = [join(aDirectory(), 'own'), join(aDirectory(), 'open')]
  for (const place of [own, open]) mkdirSync(place)
  chmodSync(open, 0o777)
  expect(searchPathFor(aContext().user(), `${own}:${open}:x:/bin`)).toBe(`${own}:/bin`)
})
