import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { checkClaimable, claim, giveUp, handOver } from '../../src/instances/claimed-directory.js'
import { aContext, asOrdinaryUser, thrownBy } from '../backup/samples.js'
import { aDirectory } from '../helpers/places.js'
import { ordinaryUser } from '../helpers/users.js'

// Started by root, only the user is another one here, not the group.
const owner = { uid: ordinaryUser.uid, gid: process.getegid?.() ?? ordinaryUser.gid }
const context = aContext({ user: () => ({ ...owner, name: ordinaryUser.name, home: '/' }) })
const marker = '.pgbk-restore.json'
const claimed = (directory: string) => asOrdinaryUser(() => claim(directory, owner, context))

/** What a restore leaves that was killed: its process has this pid. */
async function remains(pid: number, files: string[] = []): Promise<string> {
  const directory = aDirectory()
  const mark = { pgbk_pid: pid, pgbk_start_time: null, pid_space: null, owner }
  await asOrdinaryUser(() => {
    writeFileSync(join(directory, marker), JSON.stringify(mark))
    for (const name of ['base', ...files]) writeFileSync(join(directory, name), '')
  })
  return directory
}

describe('a directory for a restore', () => {
  it('is made, marked, and closed to others', async () => {
    const directory = join(aDirectory(), 'new')
    await claimed(directory)
    expect(readdirSync(directory)).toEqual([marker])
    expect(statSync(directory).mode & 0o777).toBe(0o700)
  })

  it('is handed over without the mark', async () => {
    const directory = aDirectory()
    await claimed(directory)
    await asOrdinaryUser(() => handOver(directory, owner))
    expect(readdirSync(directory)).toEqual([])
  })

  it('is empty again when it is given up, and stays', async () => {
    const directory = aDirectory()
    await claimed(directory)
    await asOrdinaryUser(async () => {
      mkdirSync(join(directory, 'base'))
      writeFileSync(join(directory, 'base/1'), '')
      await giveUp(directory, owner)
    })
    expect(readdirSync(directory)).toEqual([])
  })

  it('loses the remains of a restore that is gone', async () => {
    const directory = await remains(0)
    expect(checkClaimable(directory, context)).toMatchObject({ uid: owner.uid })
    await claimed(directory)
    expect(readdirSync(directory)).toEqual([marker])
  })

  it('is locked while that restore goes on', async () => {
    const directory = await remains(process.pid)
    expect(await thrownBy(() => checkClaimable(directory, context))).toMatchObject({ code: 'locked' })
    expect(await thrownBy(() => claimed(directory))).toMatchObject({ code: 'locked' })
    expect(readdirSync(directory).sort()).toEqual([marker, 'base'])
  })

  it('is claimed by one of two at the same time', async () => {
    const directory = await remains(0)
    const ends = await Promise.allSettled([claimed(directory), claimed(directory)])
    expect(ends.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
  })

  it('is refused when a server was started in it', async () => {
    const directory = await remains(0, ['postmaster.opts'])
    expect(await thrownBy(() => checkClaimable(directory, context))).toMatchObject({ code: 'usage' })
  })

  it('is taken again when the backup itself is of a restored server', async () => {
    await claimed(await remains(0, ['backup_label.old']))
  })

  it('keeps what has come into it since it was looked at, its mode too', async () => {
    const directory = aDirectory()
    checkClaimable(directory, context)
    await asOrdinaryUser(() => writeFileSync(join(directory, 'mine'), 'precious', { mode: 0o600 }))
    const before = statSync(directory).mode
    expect(await thrownBy(() => claimed(directory))).toMatchObject({ code: 'usage' })
    expect(readFileSync(join(directory, 'mine'), 'utf8')).toBe('precious')
    expect(readdirSync(directory)).toEqual(['mine'])
    expect(statSync(directory).mode).toBe(before)
  })

  it('with a mark that cannot be read is refused, and kept', async () => {
    const directory = await remains(0)
    writeFileSync(join(directory, marker), '{')
    expect(await thrownBy(() => checkClaimable(directory, context))).toMatchObject({ code: 'failed' })
    expect(existsSync(join(directory, 'base'))).toBe(true)
  })
})
