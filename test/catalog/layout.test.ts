import { describe, expect, it } from '@jest/globals'
import { backupLayout, rootLayout } from '../../src/catalog/layout.js'

describe('the layout of a root', () => {
  const root = rootLayout('/srv/pg')

  it('has the backups under data/backup', () => {
    expect(root.backup('20261120T030000Z')).toBe('/srv/pg/data/backup/20261120T030000Z')
    expect(root.gitignore).toBe('/srv/pg/data/.gitignore')
  })

  it('hides partials and locks among them, where one rename publishes', () => {
    expect(root.partial('20261120T030000Z')).toBe('/srv/pg/data/backup/.20261120T030000Z.partial')
    for (const lock of [root.createLock, root.packLock, root.catalogLock])
      expect(lock).toMatch(/^\/srv\/pg\/data\/backup\/\./)
    expect(new Set([root.createLock, root.packLock, root.catalogLock]).size).toBe(3)
  })
})

describe('the layout of a backup', () => {
  it('is that of docs/format.md', () => {
    expect(backupLayout('/b')).toMatchObject({
      record: '/b/backup.json',
      readme: '/b/snapshot/README',
      conf: '/b/snapshot/conf',
      originalConf: '/b/snapshot/conf/original',
      data: '/b/snapshot/data',
      pgWal: '/b/snapshot/data/pg_wal',
      tablespaceLinks: '/b/snapshot/data/pg_tblspc',
      tablespaces: '/b/snapshot/tablespaces',
      wal: '/b/wal',
    })
  })
})
