import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import type { ImageErrand } from '../../src/remote-image/image-errand.js'
import { prepareRemoteImage } from '../../src/remote-image/prepare-remote-image.js'
import { aContext } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'
import { aDirectory, atEnd } from '../helpers/places.js'
import { until } from '../helpers/traces.js'

const { describe, it } = needs('user namespaces', '/dev/fuse')

const wanted = { id: '20261120T030000Z', bytes: 10, sha256: '00', record: '/nowhere' }

/** An image that will be served by a script, which gets as `$1` what it makes, and removes when it is told to end. */
function prepared(script: string) {
  const directory = aDirectory()
  // In a user name space of its own root has no right to what is another's.
  chmodSync(directory, 0o777)
  const made = join(directory, 'made')
  const self = ['sh', '-c', script, 'sh', made]
  const errand = { note: join(aDirectory(), 'note') } as ImageErrand
  const image = prepareRemoteImage(errand, [], aContext({ self }))
  atEnd(() => image.end(true))
  return { made, image }
}

const clearingUp = `
trap 'sleep 0.3; rmdir "$1"; exit' TERM
mkdir "$1"
while :; do sleep 0.05; done
`

describe('what will serve an image', () => {
  it('ends at once where it is not needed, however early that is known', async () => {
    const { made, image } = prepared(clearingUp)
    await image.end(true)
    expect(existsSync(made)).toBe(false)
  })

  it.each([
    ['is known', false],
    ['is told', true],
  ])('sees to its own ends when it is ended before it %s which', async (_what, isTold) => {
    const { made, image } = prepared(clearingUp)
    const mounting = isTold ? image.mount(wanted, { uid: 0, gid: 0 }).catch((error) => error) : undefined
    await until('it has begun', () => existsSync(made))
    await image.end(true)
    expect(existsSync(made)).toBe(false)
    expect(String(await mounting)).toMatch(isTold ? 'AbortError' : 'undefined')
  })

  it('gets what it is told through its input', async () => {
    const { made, image } = prepared('cat >"$1.new"; mv "$1.new" "$1"')
    await expect(image.mount(wanted, { uid: 0, gid: 0 })).rejects.toThrow('cannot be shown here as a file')
    await until('it has been told', () => existsSync(made))
    await image.end(true)
  })
})
