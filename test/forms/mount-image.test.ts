import { chmodSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { execaSync } from 'execa'
import type { Context } from '../../src/context.js'
import { mountImage } from '../../src/forms/mount-image.js'
import { aContext } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { withPrograms } from '../helpers/ssh.js'

const { it } = needs('user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse')

const ids = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

function anImage(): string {
  const place = aDirectory()
  writeFileSync(join(place, 'file'), 'text')
  const image = join(open(aDirectory()), 'image')
  execaSync('mksquashfs', [place, image, '-quiet', '-no-progress'])
  return image
}

/** A user name space knows root's own files, and what all may read. */
function open(directory: string): string {
  chmodSync(directory, 0o755)
  return directory
}

function failing(program: string, said: string): Context {
  const { PATH = '' } = withPrograms({ [program]: `#!/bin/sh\necho "${said}" >&2\nexit 1\n` })
  open(PATH.split(':')[0] ?? '')
  return aContext({ env: { ...process.env, PATH } })
}

it('is where nobody can guess it, also with a TMPDIR that the mount hides, and leaves no note', async () => {
  const TMPDIR = aDirectory()
  const image = { file: anImage(), ...ids }
  const context = aContext({ env: { ...process.env, TMPDIR } })
  const [one, other] = [await mountImage(image, context), await mountImage(image, context)]
  expect(readFileSync(join(one.directory, 'file'), 'utf8')).toBe('text')
  expect(one.directory).toMatch(/^\/proc\/\d+\/root\/tmp\/pgbk-[0-9a-f]{32}$/)
  expect(one.directory.split('/').at(-1)).not.toBe(other.directory.split('/').at(-1))
  expect(readdirSync(TMPDIR)).toEqual([])
  await Promise.all([one.release(), other.release()])
  expect(existsSync(one.directory)).toBe(false)
})

it('that is none is called damaged, and one that is cut off is not mounted', async () => {
  const file = anImage()
  truncateSync(file, 200)
  await expect(mountImage({ file, ...ids }, aContext())).rejects.toMatchObject({ code: 'failed' })
  writeFileSync(file, 'nothing')
  await expect(mountImage({ file, ...ids }, aContext())).rejects.toMatchObject({ code: 'damaged' })
})

it.each([
  ['unshare', 'unshare: unshare failed: Operation not permitted', 'failed', /forbidden/],
  ['unshare', "unshare: unrecognized option '--map-user=1'", 'failed', /util-linux 2.36/],
])('tells what %s says by its kind: %s', async (program, said, code, hint = /./) => {
  const failed = mountImage({ file: anImage(), ...ids }, failing(program, said))
  await expect(failed).rejects.toMatchObject({
    code,
    message: expect.stringContaining(said),
    hint: expect.stringMatching(hint),
  })
})
