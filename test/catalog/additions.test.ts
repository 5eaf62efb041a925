import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { readCatalog } from '../../src/catalog/catalog.js'
import { describeHold, removeHold, writeHold } from '../../src/catalog/hold.js'
import { resultOf, writeProof } from '../../src/catalog/proof.js'
import { aBackup, anEmptyRoot, aProof } from './samples.js'

const id = '20261120T030000Z'
const since = '2026-11-20T04:00:00.000Z'

function one() {
  const root = anEmptyRoot()
  const layout = aBackup(root, id)
  return { layout, read: () => readCatalog(root.root).backups[0] }
}

describe('a hold', () => {
  it('is a file beside the record, which stays as it is', async () => {
    const { layout, read } = one()
    const record = readFileSync(layout.record, 'utf8')
    expect(read()?.hold).toBeUndefined()
    await writeHold(layout, { format: 1, since, reason: 'the audit' })
    expect(read()?.hold).toEqual({ format: 1, since, reason: 'the audit' })
    expect(readFileSync(layout.record, 'utf8')).toBe(record)
    await removeHold(layout)
    expect(read()?.hold).toBeUndefined()
    expect(existsSync(layout.hold)).toBe(false)
  })

  it.each(['', '{', '[]', '{"format": 2}'])('of %j holds too', (text) => {
    const { layout, read } = one()
    writeFileSync(layout.hold, text)
    expect(read()?.hold).toMatchObject({ reason: 'hold.json is unreadable' })
  })

  it('is told with its reason, if it has one', () => {
    expect(describeHold({ format: 1, since, reason: null })).toBe('held')
    expect(describeHold({ format: 1, since, reason: 'the audit' })).toBe('held: the audit')
  })
})

describe('a proof', () => {
  it('is the newest one, and leaves nothing else behind', async () => {
    const { layout, read } = one()
    await writeProof(layout, aProof({ ok: false, faults: ['x'] }))
    await writeProof(layout, aProof())
    expect(read()?.proof).toEqual(aProof())
    expect(readdirSync(layout.directory).sort()).toEqual(['backup.json', 'proof.json', 'snapshot', 'wal'])
  })

  it.each([
    ['half written', '{"format": 1, "ok": tr'],
    ['of a newer format', JSON.stringify({ ...aProof(), format: 2 })],
    ['of another backup', JSON.stringify(aProof({ backup: '20250101T030000Z' }))],
  ])('that is %s proves nothing, and refutes nothing', (_what, text) => {
    const { layout, read } = one()
    writeFileSync(layout.proof, text)
    expect(read()?.proof).toBe('unreadable')
    expect(resultOf(read()?.proof)).toBe('none')
  })

  it('says whether the newest check passed', () => {
    expect([undefined, aProof(), aProof({ ok: false })].map(resultOf)).toEqual(['none', 'proven', 'failed'])
  })
})
