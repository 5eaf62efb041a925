import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import {
  checkClaimable,
  claimDirectory,
  emptyAndRelease,
  releaseDirectory,
} from '../../../src/restore/directory/claimed-directory.js'
import { retireRestoreMarker } from '../../../src/restore/directory/restore-marker.js'
import { markOfThisProcess, type ProcessMark } from '../../../src/system/process/process-mark.js'
import { aContext, asOrdinaryUser, thrownBy } from '../../catalog/samples.js'
import { aDirectory } from '../../helpers/places.js'
import { ordinaryUser } from '../../helpers/users.js'
import { elsewhere, gone } from '../instance/samples.js'

// Started by root, only the user is another one here, not the group.
const owner = { uid: ordinaryUser.uid, gid: process.getegid?.() ?? ordinaryUser.gid }
const context = aContext({ user: () => ({ ...owner, name: ordinaryUser.name, home: '/' }) })
const marker = '.pgbk-restore.json'
const claimed = (directory: string) => asOrdinaryUser(() => claimDirectory(directory, context))

/** What a restore leaves that was killed. */
async function remains(mark: ProcessMark, files: string[] = []): Promise<string> {
  const directory = aDirectory()
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
    await asOrdinaryUser(() => releaseDirectory(directory))
    expect(readdirSync(directory)).toEqual([])
  })

  it('is empty again when it is given up, and stays', async () => {
    const directory = aDirectory()
    await claimed(directory)
    await asOrdinaryUser(async () => {
      mkdirSync(join(directory, 'base'))
      writeFileSync(join(directory, 'base/1'), '')
      await emptyAndRelease(directory)
    })
    expect(readdirSync(directory)).toEqual([])
  })

  it('loses the remains of a restore that is gone', async () => {
    const directory = await remains(gone)
    checkClaimable(directory, context)
    await claimed(directory)
    expect(readdirSync(directory)).toEqual([marker])
  })

  it('is locked while that restore goes on', async () => {
    const directory = await remains(markOfThisProcess())
    chmodSync(directory, 0o755)
    expect(await thrownBy(() => checkClaimable(directory, context))).toMatchObject({ code: 'locked' })
    expect(await thrownBy(() => claimed(directory))).toMatchObject({ code: 'locked' })
    expect(statSync(directory).mode & 0o777).toBe(0o755)
    expect(readdirSync(directory).sort()).toEqual([marker, 'base'])
  })

  it('is claimed by one of two at the same time', async () => {
    const directory = await remains(gone)
    const ends = await Promise.allSettled([claimed(directory), claimed(directory)])
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(readdirSync(directory)).toEqual([marker])
  })

  it('that is not there yet is claimed by one of two as well', async () => {
    const directory = join(aDirectory(), 'new')
    const ends = await Promise.allSettled([claimed(directory), claimed(directory)])
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(readdirSync(directory)).toEqual([marker])
  })

  it('stays closed for the one who gets it while another closes it', async () => {
    const directory = aDirectory()
    chmodSync(directory, 0o755)
    const user = () => {
      const isClosed = (statSync(directory).mode & 0o777) === 0o700
      if (isClosed) writeFileSync(join(directory, marker), JSON.stringify(markOfThisProcess()))
      return context.user()
    }
    const late = () => asOrdinaryUser(() => claimDirectory(directory, aContext({ user })))
    expect(await thrownBy(late)).toMatchObject({ code: 'locked' })
    expect(statSync(directory).mode & 0o777).toBe(0o700)
  })

  it('is refused, and kept, where that restore may go on in another container', async () => {
    const directory = await remains(elsewhere)
    for (const attempt of [() => checkClaimable(directory, context), () => claimed(directory)]) {
      const { code, hint } = await thrownBy(attempt)
      expect({ code, hint }).toEqual({ code: 'locked', hint: expect.stringContaining('-mindepth 1 -delete') })
    }
    expect(readdirSync(directory).sort()).toEqual([marker, 'base'])
  })

  it('whose mark another has taken away meanwhile is locked', async () => {
    const directory = await remains(gone)
    renameSync(join(directory, marker), join(directory, 'aside'))
    expect(await thrownBy(() => retireRestoreMarker(directory))).toMatchObject({ code: 'locked' })
  })

  it('whose mark is of another container by now gets it back', async () => {
    const directory = await remains(elsewhere)
    await asOrdinaryUser(() => thrownBy(() => retireRestoreMarker(directory)))
    expect(readdirSync(directory).sort()).toEqual([marker, 'base'])
  })

  it('that is the top of a file system is not to be emptied, but one below it to be taken', async () => {
    const directory = aDirectory()
    mkdirSync(join(directory, 'lost+found'))
    const { code, hint } = await thrownBy(() => checkClaimable(directory, context))
    expect(code).toBe('usage')
    expect(hint).toContain(`-D ${directory}/data`)
    expect(hint).not.toContain('-delete')
  })

  it('is refused when a server was started in it', async () => {
    const directory = await remains(gone, ['postmaster.opts'])
    expect(await thrownBy(() => checkClaimable(directory, context))).toMatchObject({ code: 'usage' })
  })

  it('is taken again when the backup itself is of a restored server', async () => {
    await claimed(await remains(gone, ['backup_label.old']))
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
    const directory = await remains(gone)
    writeFileSync(join(directory, marker), '{')
    expect(await thrownBy(() => checkClaimable(directory, context))).toMatchObject({ code: 'failed' })
    expect(existsSync(join(directory, 'base'))).toBe(true)
  })
})
