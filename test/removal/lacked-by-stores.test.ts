import { describe, expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { changeStoreState } from '../../src/catalog/uploads/upload-state.js'
import { type WalSent, writeWalSent } from '../../src/catalog/uploads/wal-sent.js'
import { parseConfig } from '../../src/config/schema.js'
import { lackedByStores } from '../../src/removal/lacked-by-stores.js'
import { type ReceiverState, writeReceiverState } from '../../src/wal-archive/receiver-state.js'
import { aBackup, aContext, anEmptyRoot } from '../catalog/samples.js'

const now = '2026-11-20T03:00:00.000Z'

/** Which stores lack WAL of a backup. */
async function lacking(
  sent: Partial<WalSent>,
  receiver: Partial<ReceiverState> | undefined,
): Promise<string[]> {
  const root = anEmptyRoot()
  aBackup(root, '20261120T030000Z')
  writeWalSent(root, 'near', { at: '2026-11-20T02:00:00.000Z', error: null, waits: true, ...sent })
  if (receiver) await writeReceiverState(root, { ...aState(), ...receiver })
  const settings = {
    stores: parseConfig({ stores: { near: { url: '/near', upload: 'always' } } }).value?.stores ?? {},
  }
  const [backup] = readCatalog(root.root).backups
  if (!backup) throw new Error('no backup')
  return lackedByStores(root, settings, aContext())(backup).map(({ by }) => by)
}

function aState(): ReceiverState {
  const unknown = {
    problem: null,
    system_identifier: null,
    host: null,
    port: null,
    backup: null,
    timeline: null,
  }
  const positions = { received_lsn: null, server_lsn: null, caught_up_at: null, caught_up_lsn: null }
  const process = { pid: 1, start_time: 'none', pid_space: null, since: now, updated_at: now }
  return { ...process, status: 'receiving', slot: 'pgbk', handing_over_to: null, ...unknown, ...positions }
}

describe('a backup stays for a store that lacks it', () => {
  const [sent, lacked] = ['20261119T030000Z', '20261120T030000Z']
  const since = '2026-11-20T03:00:00.000Z'

  it.each<[string, string, string[]]>([
    ['always', 'away', ['the store near, which lacks it']],
    ['never', 'away', []],
    ['always', 'gone', []],
  ])('where it takes backups %s, and is %s', async (upload, what, expected) => {
    const root = anEmptyRoot()
    for (const id of [sent, lacked]) aBackup(root, id)
    await changeStoreState(root, what === 'gone' ? 'far' : 'near', (state) => ({
      ...state,
      sent: [sent],
      pending: [{ backup: lacked, since, error: 'it is away' }],
    }))
    const { stores = {} } = parseConfig({ stores: { near: { url: '/near', upload } } }).value ?? {}
    const lackedBy = lackedByStores(root, { stores }, aContext())
    const found = readCatalog(root.root).backups.map((one) => [one.id, lackedBy(one).map(({ by }) => by)])
    expect(found).toEqual([
      [lacked, expected],
      [sent, []],
    ])
  })
})

describe('a backup stays for a store that lacks WAL of it', () => {
  const long = '2026-11-01T03:00:00.000Z'

  it('while a receiver is in service, which sends it', async () => {
    expect(await lacking({}, {})).toEqual(['the store near, which lacks WAL of it'])
    expect(await lacking({ at: now }, {})).toEqual([])
  })

  it('where none has ever come there', async () => {
    const sent = { at: null, error: 'it is away' }
    expect(await lacking(sent, {})).toEqual(['the store near, which lacks WAL of it'])
  })

  it.each([
    ['no receiver has ever run', {}, undefined],
    ['none has for a week', {}, { updated_at: long }],
    ['what would be sent has no place there', { error: 'no backup is there', waits: false }, {}],
  ])('and not where %s', async (_what, sent, receiver) => {
    expect(await lacking(sent, receiver)).toEqual([])
  })
})
