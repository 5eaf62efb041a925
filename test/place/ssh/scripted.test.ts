import { describe, expect, it } from '@jest/globals'
import { noRoot, scriptAnswer } from '../../../src/place/ssh/scripted.js'
import type { StreamEnd } from '../../../src/system/program/stream-program.js'
import { thrownBy } from '../../catalog/samples.js'

const ended = (status: number, stderr = ''): StreamEnd<string> => ({
  status,
  stderr,
  endedBy: undefined,
  outcome: { status: 'fulfilled', value: '' },
})
const store = { host: 'db1', directory: '/srv/store' }
const thrown = (end: StreamEnd<string>, place: Parameters<typeof scriptAnswer>[1] = store) =>
  thrownBy(() => scriptAnswer(end, place))

describe('a script on another host', () => {
  it.each(['cat: write error: No space left on device\n', 'dd: Disk quota exceeded\n'])(
    'has no room where it says %j',
    async (said) => {
      expect(await thrown(ended(1, said))).toMatchObject({
        code: 'disk-full',
        message: `there is no room left in /srv/store on db1: ${said.trim()}`,
        hint: expect.stringContaining('Make room'),
      })
    },
  )

  it('fails with the last of what it has said', async () => {
    const banner = 'This host belongs to us.\n'.repeat(10_000)
    expect(await thrown(ended(1, `${banner}sh: stat: not found\n`))).toMatchObject({
      code: 'failed',
      message: expect.stringMatching(/^the commands on db1 failed: [\s\S]{0,500}sh: stat: not found$/),
    })
  })

  it('that finds no directory speaks of the store, or of the SOURCE that was named', async () => {
    const missing = ended(41, "find: '/srv/store/.': No such file or directory")
    const message = '/srv/store on db1 does not exist'
    expect(await thrown(missing)).toMatchObject({ message, hint: expect.stringContaining('the store') })
    const source = await thrown(missing, { ...store, isSource: true })
    expect(source).toMatchObject({ message, hint: expect.stringContaining('SOURCE') })
  })

  it('that finds no backups may have found a store that is empty', () => {
    expect(noRoot('/srv/store on db1').message).toContain('a store without backups')
  })
})
