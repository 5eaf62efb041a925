import { expect, it } from '@jest/globals'
import { readCatalog } from '../../../src/catalog/catalog.js'
import { sshPlace } from '../../../src/place/ssh/ssh-place.js'
import { readObject } from '../../../src/place/store/read-object.js'
import { sshStore } from '../../../src/place/store/ssh/ssh-store.js'
import { bytePath } from '../../../src/system/paths/byte-path.js'
import { aBackup, aContext, anEmptyRoot, thrownBy } from '../../catalog/samples.js'
import { anSshTo, withPrograms } from '../../helpers/ssh.js'

const where = { host: 'far', directory: '/tmp' }

it('a host that takes a connection and says nothing is not waited for without end', async () => {
  const env = withPrograms({ ssh: '#!/bin/sh\nexec sleep 1000\n' })
  const context = aContext({ env, tickMs: 5 })
  for (const ask of [
    () => sshPlace('far:/tmp', where.host, where.directory, context).list(),
    () => sshStore(where, context, 'far').stat('data/backup/x'),
    () => sshStore(where, context, 'far').put('data/backup/x', Buffer.from('x')),
  ])
    expect(await thrownBy(ask)).toMatchObject({
      code: 'unreachable',
      message: expect.stringContaining('has not answered for'),
      hint: expect.stringMatching(/^This must work first, without a question, as user \S+: {2}ssh far true$/),
    })
})

it('a host that sends more than it was asked for fills no memory', async () => {
  const endless = '#!/bin/sh\nexec cat /dev/zero\n'
  const context = aContext({ env: anSshTo({ head: endless, tail: endless }) })
  const root = anEmptyRoot()
  aBackup(root, '20261120T030000Z')
  const [backup] = readCatalog(root.root).backups
  if (!backup) throw new Error('no backup')
  const place = sshPlace('far', 'far', root.root, context)
  const store = sshStore({ host: 'far', directory: root.root }, context, 'far')
  let taken = 0
  const count = async (pieces: AsyncIterable<Buffer>) => {
    for await (const piece of pieces) taken += piece.length
  }
  const range = { from: 0, length: 1000 }
  const key = `data/backup/${backup.id}/backup.json`
  for (const read of [
    () => place.read(backup, bytePath('backup.json'), range, count),
    () => store.read(key, range, count),
    () => readObject(store, key, 1 << 20),
  ])
    expect(await thrownBy(read)).toMatchObject({
      code: 'damaged',
      message: expect.stringMatching(/^more bytes of .* came than the \d+ that were asked for$/),
    })
  expect(taken).toBe(0)
})
