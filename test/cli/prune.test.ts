import { readdirSync } from 'node:fs'
import { expect, it } from '@jest/globals'
import { aBackup, anEmptyRoot } from '../catalog/samples.js'
import { pgbk } from './world.js'

it('prune --default-policy keeps daily 7, on_demand 3 where the configuration says nothing', async () => {
  const root = anEmptyRoot()
  for (let day = 1; day <= 19; day++) {
    const started_at = `2026-11-${String(day).padStart(2, '0')}T03:00:00.000Z`
    const id = started_at.replace(/[-:]|\.000/g, '')
    aBackup(root, id, { kind: day <= 5 ? 'on-demand' : 'scheduled', started_at, finished_at: started_at })
  }
  const prune = (env: Record<string, string>, ...args: string[]) =>
    pgbk(['prune', '--yes', '--quiet', '-C', root.root, ...args], { env })
  const ids = () => readdirSync(root.backups).filter((name) => !name.startsWith('.')).length
  expect(await prune({})).toMatchObject({ status: 0 })
  expect(ids()).toBe(19)
  expect(await prune({ PGBK_RETENTION_DAILY: '12' }, '--default-policy')).toMatchObject({ status: 0 })
  expect(ids()).toBe(12)
  expect(await prune({}, '--default-policy')).toMatchObject({ status: 0, stdout: '', stderr: '' })
  expect(ids()).toBe(7)
})
