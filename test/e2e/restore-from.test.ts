import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, it } from '@jest/globals'
import { aLedger, type Ledger } from '../helpers/ledger.js'
import { needs } from '../helpers/needs.js'
import { runPgbk } from '../helpers/pgbk.js'
import { aDirectory, aFreePort } from '../helpers/places.js'
import { oldestAndNewest, run } from '../helpers/programs.js'
import { ask, pgbkIn, refusal, restore, restored } from '../helpers/restore.js'

// One form: from elsewhere an image is restored, nothing else.

const needed = ['user namespaces', '/dev/fuse', 'program mksquashfs', 'program squashfuse'] as const

needs(...needed).describe.each(oldestAndNewest)('restore --from a place with PostgreSQL %i', (major) => {
  let place: Ledger
  beforeAll(async () => {
    place = await aLedger({ major, rows: 20 })
    const { status, stderr } = await runPgbk(['pack', place.backup.record.id, '-C', place.root])
    if (status !== 0) throw new Error(stderr)
  })

  it('fills a directory on a machine that has no root, with all WAL of the place', async () => {
    const here = aDirectory()
    const data = join(here, 'main')
    const port = await aFreePort()
    await restored(here, ['--from', place.root, '-D', data, '--start', '--port', String(port)])
    expect(
      await ask(
        { port, role: 'focker', socket: place.server.socket },
        'select count(*) from ledger',
        'app',
        major,
      ),
    ).toBe('21')
    expect(readdirSync(here)).toEqual(['main'])
  })

  it('makes an instance of a root that is here, whose first start has its WAL when the place is gone', async () => {
    const here = aDirectory()
    await run(['mkdir', '-p', join(here, 'data/backup')])
    const entry = place.entries[9]
    const moment = ['--to-time', entry?.time ?? '', '--name', 'one', '--no-start']
    await restored(here, ['--from', place.root, ...moment])
    expect((await pgbkIn(here, ['instance', 'start', 'one'])).status).toBe(0)
    const [one] = JSON.parse((await pgbkIn(here, ['instance', 'list', '--json'])).stdout).instances
    expect(await ask(one, 'select count(*) from ledger', 'app', major)).toBe(String(entry?.n))
  })

  it('plans, and asks for a directory where there is no root', async () => {
    const here = aDirectory()
    const { status, stdout } = await restore(here, ['--from', place.root, '-D', join(here, 'd'), '--dry-run'])
    expect(status).toBe(0)
    expect(stdout).toContain(place.backup.record.id)
    const refused = await refusal(restore(here, ['--from', place.root, '--json']))
    expect(refused).toMatchObject({ status: 2, code: 'usage' })
    expect(refused.hint).toContain('-D')
    expect(readdirSync(here)).toEqual([])
  })

  needs('root').it('started by root, fills a directory of the user whom it belongs to', async () => {
    const here = aDirectory()
    const data = join(here, 'main')
    await run(['mkdir', data])
    const args = ['--from', place.root, '-D', data, '--to-snapshot']
    const { status, stderr } = await restore(here, args, { asRoot: true })
    expect({ status, stderr }).toMatchObject({ status: 0 })
    expect(existsSync(join(data, 'PG_VERSION'))).toBe(true)
  })
})
