import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import type { ReadableBackup } from '../../src/catalog/backup.js'
import { makeImage, unpackImage } from '../../src/forms/make-image.js'
import { checkUnpackedWal } from '../../src/packing/check-unpacked-wal.js'
import { aContext, thrownBy } from '../catalog/samples.js'
import { needs } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'

needs('program mksquashfs').it('WAL that was not unpacked as it is in the image is found', async () => {
  const [from, aside] = [aDirectory(), aDirectory()]
  const context = aContext({ env: { PATH: process.env.PATH } })
  const [image, snapshot] = [join(aside, 'snapshot.squashfs'), join(aside, 'snapshot')]
  const segment = 'data/pg_wal/000000010000000000000003'
  mkdirSync(join(from, 'data/pg_wal/archive_status'), { recursive: true })
  writeFileSync(join(from, segment), Buffer.alloc(1 << 20, 'wal '))
  await makeImage(from, image, context)
  await unpackImage(image, snapshot, context)
  const copy = { id: '20261120T030000Z', directory: aside, snapshot } as ReadableBackup
  await checkUnpackedWal(image, copy, aDirectory(), context)
  writeFileSync(join(snapshot, segment), Buffer.alloc(1 << 20, 'law '))
  const error = await thrownBy(() => checkUnpackedWal(image, copy, aDirectory(), context))
  expect(error).toMatchObject({ code: 'damaged', message: expect.stringContaining('is not the same') })
})
