import { mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from '@jest/globals'
import { backupLayout, runLayout } from '../../src/catalog/layout.js'
import { linkWal } from '../../src/run/server-command.js'
import { aDirectory } from '../helpers/places.js'

it('only finished segments that are wanted, and not in the snapshot, are linked where they are', () => {
  const layout = backupLayout(aDirectory())
  const run = runLayout(aDirectory())
  mkdirSync(join(layout.data, 'pg_wal'), { recursive: true })
  mkdirSync(run.conf)
  const nameOf = (digit: number) => `00000001000000000000000${digit}`
  const [own, later] = [aDirectory(), aDirectory()]
  const segment = (digit: number, form: string, directory = own) => {
    const file = `${nameOf(digit)}${{ raw: '', gzip: '.gz', partial: '.partial' }[form]}`
    return { name: nameOf(digit), segment: BigInt(digit), form, directory, file }
  }
  writeFileSync(join(layout.data, 'pg_wal', nameOf(1)), '')
  const chain = [
    ...[segment(1, 'raw'), segment(2, 'raw'), segment(3, 'gzip'), segment(4, 'raw', later)],
    ...[segment(5, 'partial', later), segment(6, 'raw', later)],
  ]
  const recovery = { archive: { chain }, recovery: { lastSegment: 5n } }
  linkWal({ backup: { snapshot: layout.snapshot }, recovery } as never, { layout: run } as never)
  const links = readdirSync(run.walLinks).map((name) => readlinkSync(join(run.walLinks, name)))
  expect(links.sort()).toEqual([join(own, nameOf(2)), join(later, nameOf(4))].sort())
})
