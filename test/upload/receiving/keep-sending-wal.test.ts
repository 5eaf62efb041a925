import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { RootLayout } from '../../../src/catalog/layout.js'
import { readWalSent } from '../../../src/catalog/uploads/wal-sent.js'
import type { Settings } from '../../../src/config/load.js'
import { parseConfig } from '../../../src/config/schema.js'
import { silentProgress } from '../../../src/progress.js'
import { keepSendingWal } from '../../../src/upload/receiving/keep-sending-wal.js'
import { aBackup, aContext, anEmptyRoot, aRecord } from '../../catalog/samples.js'
import { alice, bob } from '../../encryption/samples.js'
import { aDirectory } from '../../helpers/places.js'
import { until } from '../../helpers/traces.js'
import { aStoredBackup } from '../stored.js'

const [older, id] = ['20261119T030000Z', '20261120T030000Z']
const first = '000000010000000000000003'
const second = '000000010000000000000004'

/** A root, and a directory that is its store; what its senders have told. */
function aSender(config: { recipients?: string[]; partial_every?: string } = {}) {
  const root = anEmptyRoot()
  const near = aDirectory()
  const stores = { near: { url: near, upload: 'always', ...config } }
  const settings = { ...parseConfig({ stores }).value, root: root.root } as Settings
  const warnings: string[] = []
  const progress = { ...silentProgress, warn: (text: string) => void warnings.push(text) }
  const context = aContext({ progress, tickMs: 5, now: () => new Date() })
  return {
    ...{ root, near, warnings },
    walOf: (backup: string) => readdirSync(join(near, 'data/backup', backup, 'wal')).sort(),
    /** Sends until something is so, and says what is noted then. */
    async sendsUntil(what: string, isSo: () => boolean) {
      const stopped = new AbortController()
      const sending = keepSendingWal({ settings, context: { ...context, signal: stopped.signal } })
      try {
        await until(what, isSo)
        return noteIn(root)
      } finally {
        stopped.abort()
        await sending
      }
    },
  }
}

function noteIn(root: RootLayout) {
  return readWalSent(root).near
}

describe('the sender of WAL', () => {
  it('notes until when a store has all WAL', async () => {
    const { root, near, walOf, sendsUntil, warnings } = aSender()
    aBackup(root, id)
    aStoredBackup(near, id)
    const note = await sendsUntil('it is noted', () => noteIn(root)?.at !== undefined)
    expect(note).toMatchObject({ at: expect.any(String), error: null })
    expect(walOf(id)).toEqual([`${first}.gz`])
    expect(warnings).toEqual([])
  })

  it('sends no encrypted WAL to a backup that is not encrypted, and says why none comes', async () => {
    const { root, near, walOf, sendsUntil, warnings } = aSender({ recipients: [alice.recipient] })
    aBackup(root, id)
    aStoredBackup(near, id)
    const note = await sendsUntil('it is noted', () => noteIn(root) !== undefined)
    expect(note).toEqual({ at: null, error: expect.stringContaining(`${id} is not encrypted`), waits: false })
    expect(walOf(id)).toEqual([])
    expect(warnings).toHaveLength(1)
  })

  it('sends no plain WAL to a backup that is encrypted, but to an older one that is not', async () => {
    const { root, near, walOf, sendsUntil } = aSender()
    aBackup(root, id)
    aStoredBackup(near, id, { recipients: [alice.recipient] })
    const note = await sendsUntil('it is noted', () => noteIn(root) !== undefined)
    expect(note).toMatchObject({ at: null, error: expect.stringContaining(`${id} is encrypted`) })
    aStoredBackup(near, older)
    await sendsUntil('it has come', () => noteIn(root)?.error === null)
    expect({ newer: walOf(id), older: walOf(older) }).toEqual({ newer: [], older: [`${first}.gz`] })
  })

  it('warns that WAL is encrypted for others than its backup', async () => {
    const { root, near, walOf, sendsUntil, warnings } = aSender({ recipients: [bob.recipient] })
    aBackup(root, id)
    aStoredBackup(near, id, { recipients: [alice.recipient] })
    await sendsUntil('it is noted', () => noteIn(root)?.error === null)
    expect(walOf(id)).toEqual([`${first}.gz.age`])
    expect(warnings).toEqual([expect.stringContaining('takes an identity of each')])
  })

  it('does not say that WAL has come where no backup is there for it', async () => {
    const { root, near, sendsUntil } = aSender()
    aBackup(root, id)
    mkdirSync(join(near, 'data/backup'), { recursive: true })
    const note = await sendsUntil('it is noted', () => noteIn(root) !== undefined)
    expect(note).toMatchObject({ at: null, error: expect.stringContaining('no backup is there yet') })
  })

  it('goes on to a backup of the store that the root has no longer', async () => {
    const { root, near, walOf, sendsUntil } = aSender()
    aBackup(root, id)
    aStoredBackup(near, older)
    const server = { ...aRecord().server, system_identifier: '1' }
    aStoredBackup(near, '20261119T050000Z', { changes: { server } })
    await sendsUntil('it is noted', () => noteIn(root)?.error === null)
    expect(walOf(older)).toEqual([`${first}.gz`])
    expect(walOf('20261119T050000Z')).toEqual([])
  })

  it('is kept by no damaged backup from sending the WAL of the newest', async () => {
    const { root, near, walOf, sendsUntil, warnings } = aSender()
    for (const one of [older, id]) aBackup(root, one)
    const damaged = aStoredBackup(near, older)
    writeFileSync(join(damaged, 'backup.json'), '{')
    const lost = aStoredBackup(near, '20261118T030000Z')
    aBackup(root, '20261118T030000Z')
    rmSync(join(lost, 'snapshot.squashfs'))
    aStoredBackup(near, id)
    await sendsUntil('it is noted and told', () => noteIn(root)?.error === null && warnings.length > 1)
    expect(walOf(id)).toEqual([`${first}.gz`])
    expect(warnings.sort()).toEqual([
      expect.stringContaining('20261118T030000Z'),
      expect.stringContaining(older),
    ])
  })

  it('sends what was written to a segment while an older state of it was sent, whatever the clock of the store', async () => {
    const { root, near, sendsUntil } = aSender({ partial_every: '1 second' })
    const { wal } = aBackup(root, id)
    const stored = aStoredBackup(near, id)
    const partial = join(wal, `${second}.partial`)
    writeFileSync(partial, 'early')
    truncateSync(partial, 16 << 20)
    const ago = (seconds: number) => new Date(Date.now() - seconds * 1000)
    utimesSync(partial, ago(3600), ago(3600))
    const there = join(stored, 'wal', `${second}.partial`)
    const has = (text: string) => () => existsSync(there) && readFileSync(there, 'latin1').startsWith(text)
    const senders = sendsUntil('the later state has come', has('later'))
    await until('the earlier has come', has('early'))
    // Before the time that the store has for what it got.
    writeFileSync(partial, 'later', { flag: 'r+' })
    utimesSync(partial, ago(1800), ago(1800))
    await senders
  })
})
