import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { execa } from 'execa'
import { writeOnlyBelow } from '../../../src/system/program/write-only-below.js'
import { ifMounts, needs } from '../../helpers/needs.js'
import { aDirectory, atEnd } from '../../helpers/places.js'
import { until } from '../../helpers/traces.js'
import { asUser } from '../../helpers/users.js'

/** Writes below a directory and beside it, as the ordinary user. */
async function writeBoth(directory: string, beside: string, path = process.env.PATH ?? '') {
  const script = 'echo x >"$1/inside"; echo x >"$2/outside"; ls "$1" "$2"'
  const [file = '', ...args] = [...asUser(), ...writeOnlyBelow(directory), 'sh', '-c', script, 'sh']
  return execa(file, [...args, directory, beside], { reject: false, env: { PATH: path } })
}

needs('user namespaces').it('a program can write below its directory, and nowhere else', async () => {
  const [directory, beside] = [aDirectory(), aDirectory()]
  const { stdout, stderr } = await writeBoth(directory, beside)
  expect(stdout).toContain('inside')
  expect(stderr).toContain('Read-only file system')
  expect(existsSync(join(beside, 'outside'))).toBe(false)
})

ifMounts(
  'a file system that goes meanwhile, as those of containers do, keeps no program from its start',
  async () => {
    const [directory, beside, top] = [aDirectory(), aDirectory(), aDirectory()]
    const point = join(top, 'disk')
    mkdirSync(point)
    await execa('mount', ['-t', 'tmpfs', 'tmpfs', point])
    atEnd(async () => {
      await execa('umount', [point], { reject: false })
    })
    // A mount(8) that does one at a time, and waits there until the mount point has gone.
    const bin = aDirectory()
    const wait = `: >${directory}/waits; while [ -e ${point} ]; do sleep 0.02; done`
    writeFileSync(
      join(bin, 'mount'),
      `#!/bin/sh\ncase "$*" in --all*) exit;; *${point}) ${wait};; esac\nexec /bin/mount "$@"\n`,
      { mode: 0o755 },
    )
    const running = writeBoth(directory, beside, `${bin}:${process.env.PATH}`)
    await until('it comes to that one', () => existsSync(join(directory, 'waits')))
    await execa('umount', [point])
    rmdirSync(point)
    const { stdout, stderr } = await running
    expect(stdout).toContain('inside')
    expect(stderr).toContain('Read-only file system')
  },
)
