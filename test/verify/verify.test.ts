import { createHash } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { beforeEach, expect, it } from '@jest/globals'
import { backupLayout, type RootLayout } from '../../src/catalog/layout.js'
import type { Settings } from '../../src/config/load.js'
import { silentProgress } from '../../src/progress.js'
import { verify } from '../../src/verify/verify.js'
import { aBackup, aContext, anEmptyRoot, thrownBy } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'

const [first, second] = ['20261120T030000Z', '20261121T030000Z']
let root: RootLayout

beforeEach(() => {
  root = anEmptyRoot()
  for (const id of [first, second]) aBackup(root, id)
})

/** Verifies, and does something as soon as a step begins. */
async function verifyAnd(id: string | undefined, step: string, work: () => void) {
  const said: string[] = []
  const progress = {
    ...silentProgress,
    step: (text: string) => text === step && work(),
    say: (text: string) => void said.push(text),
  }
  const options = { all: id === undefined }
  const result = await verify(id, options, {
    settings: { root: root.root } as Settings,
    context: aContext({ progress }),
  })
  return { ids: result.checks.map((check) => check.id), said }
}

const begin = (id: string) => {
  const { record, marker } = backupLayout(root.backup(id))
  renameSync(record, marker)
}
const removeAll = (id: string) => rmSync(root.backup(id), { recursive: true })

needs('PostgreSQL programs').describe.each([
  ['has begun to remove', begin],
  ['has removed', removeAll],
])('a backup that another process %s meanwhile', (_what, remove) => {
  it.each(['the snapshot', 'the WAL archive'])('is left out of all (%s)', async (part) => {
    const work = () => remove(second)
    expect(await verifyAnd(undefined, `verifying ${second}: ${part}`, work)).toEqual({
      ids: [first],
      said: [`backup ${second} was removed by another pgbk meanwhile`],
    })
  })

  it('is not found where it alone was meant', async () => {
    const work = () => verifyAnd(second, `verifying ${second}: the snapshot`, () => remove(second))
    expect(await thrownBy(work)).toMatchObject({ code: 'not-found' })
  })

  it('is left out before its turn has come, too', async () => {
    const work = () => remove(first)
    expect(await verifyAnd(undefined, `verifying ${second}: the snapshot`, work)).toMatchObject({
      ids: [second],
    })
  })
})

needs('PostgreSQL programs', 'user namespaces', '/dev/fuse', 'program squashfuse').it(
  'an image that is none, though it is the one of its record, has a fault, and the others are looked at',
  async () => {
    const image = Buffer.from('not a file system')
    const sha256 = createHash('sha256').update(image).digest('hex')
    rmSync(root.backup(second), { recursive: true })
    const packed = { bytes: image.length, sha256, snapshot_bytes: 1, uid: 1, gid: 1 }
    const { directory } = aBackup(root, second, { format: 2, packed })
    rmSync(`${directory}/snapshot`, { recursive: true })
    writeFileSync(`${directory}/snapshot.squashfs`, image)
    const settings = { root: root.root } as Settings
    const { checks } = await verify(undefined, { all: true }, { settings, context: aContext() })
    expect(checks).toMatchObject([
      { id: second, faults: [{ file: 'snapshot.squashfs' }] },
      { id: first, faults: expect.any(Array) },
    ])
  },
)
