import { rmSync, writeFileSync } from 'node:fs'
import { beforeEach, expect, it } from '@jest/globals'
import type { LocalBackup } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import { PgbkError } from '../../src/errors.js'
import { materialise } from '../../src/forms/materialise.js'
import { removeSocketDirectory } from '../../src/postgres/local/sockets.js'
import { makeRunDirectory } from '../../src/run/directory/make-run-directory.js'
import type { RunDirectory } from '../../src/run/directory/run-directory.js'
import { endedByAnother, tellsOfAnother } from '../../src/run/ended-by-another.js'
import { aBackup, aContext, anEmptyRoot } from '../catalog/samples.js'
import { atEnd } from '../helpers/places.js'

let run: RunDirectory

beforeEach(async () => {
  const root = anEmptyRoot()
  aBackup(root, '20261120T030000Z')
  const [listed] = readCatalog(root.root).backups as [LocalBackup]
  const backup = await materialise(listed, aContext())
  const made = makeRunDirectory(backup, root.root, aContext())
  atEnd(() => removeSocketDirectory(made.sockets))
  run = made
  writeFileSync(run.layout.log, 'LOG:  starting PostgreSQL\nFATAL:  could not load library\n')
})

it('is not what a server has to say that fails by itself', () => {
  expect(endedByAnother(run)).toBeUndefined()
})

const line = (pid: number, text: string) => `2026-11-20 03:00:00.123 GMT [${pid}] ${text}\n`
const started = line(17, 'LOG:  starting PostgreSQL 15.18 on x86_64-pc-linux-gnu')

it('is a run whose server was told to stop, with the end of the log', () => {
  writeFileSync(run.layout.log, `${started}${line(17, 'LOG:  received fast shutdown request')}`)
  const ended = endedByAnother(run)
  expect(ended).toMatchObject({
    message: `the server of the run ${run.name} was told to stop`,
    hint: expect.stringContaining('received fast shutdown request'),
  })
  expect(tellsOfAnother(ended as PgbkError)).toBe(true)
  expect(tellsOfAnother(new PgbkError('failed', ended?.message ?? ''))).toBe(false)
})

it.each([
  ['by RAISE LOG', line(23, 'LOG:  received fast shutdown request')],
  ['in an error', line(23, 'ERROR:  received fast shutdown request')],
  ['behind a line break', line(23, `LOG:  x\n\t${line(17, 'LOG:  received fast shutdown request')}`)],
  ['behind a carriage return', line(23, `LOG:  x\r${line(17, 'LOG:  received fast shutdown request')}`)],
  ['in a longer line', line(17, 'LOG:  received fast shutdown requests')],
])('is not what the data has written into the log: %s', (_how, text) => {
  writeFileSync(run.layout.log, started + text)
  expect(endedByAnother(run)).toBeUndefined()
})

it.each([
  ['its log is gone', () => rmSync(run.layout.log)],
  ['its marker is gone', () => rmSync(run.layout.marker)],
  ['nothing of it is left', () => rmSync(run.layout.directory, { recursive: true })],
])('is a run of which %s', (_what, end) => {
  end()
  const cause = new RangeError('it does not answer')
  const message = `the run ${run.name} was ended by another pgbk`
  expect(endedByAnother(run, cause)).toMatchObject({ code: 'failed', message, cause })
})
