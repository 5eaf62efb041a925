import { describe, expect, it } from '@jest/globals'
import { syncFileSystem, tellsFailures } from '../../../src/system/files/sync-file-system.js'

describe('a whole file system', () => {
  it.each([
    ['linux', '6.1.0-13-amd64', true],
    ['linux', '5.8.0', true],
    ['linux', '5.7.19', false],
    ['linux', '4.18.0-513.el8.x86_64', false],
    ['darwin', '23.4.0', false],
  ])('of %s %s is flushed at once only where failed writes are told: %s', (system, version, expected) => {
    expect(tellsFailures(system, version)).toBe(expected)
  })

  it('of a directory that is not there is not', async () => {
    expect(await syncFileSystem('/not/there')).toBe(false)
  })
})
