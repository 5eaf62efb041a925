import { beforeAll, describe, expect, it } from '@jest/globals'
import stringWidth from 'string-width'
import type { LocalBackup } from '../../../src/catalog/backup.js'
import { silentProgress } from '../../../src/progress.js'
import { windowJson } from '../../../src/terminal/parts/window-text.js'
import { createStyle } from '../../../src/terminal/screen.js'
import { listJson, listText, sayRejected } from '../../../src/terminal/views/list-view.js'
import { loadWidths } from '../../../src/terminal/width.js'
import type { BackupWindow } from '../../../src/wal-coverage/window.js'
import { aProof, aStandby } from '../../catalog/samples.js'
import { aList, aScreen, asFound, aWindow, commandsOfTerminals, hasCommands, theBackup } from '../screens.js'

beforeAll(loadWidths)

const label = '一年の計は元旦にあり before the upgrade to 4.2, and a good deal more text that goes on and on'
const two = [
  theBackup({ label }),
  theBackup({ id: '20261119T030000Z', started_at: '2026-11-19T03:00:00.000Z' }),
]

describe('the list', () => {
  it('shows a line for each backup, and a summary', () => {
    expect(listText(aList([theBackup({ label: 'first' })]), aScreen())).toBe(
      `${[
        'ID                       AGE  KIND       VERSION     SIZE  STATE  LABEL',
        '20261120T030000Z  15 minutes  on-demand    15.18  38.1 MB  whole  first',
        '',
        '1 backup, 38.1 MB, 1.0 GB free, in /srv/pg',
      ].join('\n')}\n`,
    )
  })

  it('adds up the sizes', () => {
    expect(listText(aList(two), aScreen())).toContain('\n2 backups, 76.3 MB, 1.0 GB free, in /srv/pg\n')
    expect(listText(aList(two, { free: undefined }), aScreen())).toContain(
      '\n2 backups, 76.3 MB, in /srv/pg\n',
    )
  })

  it.each([
    [200, ['ID', 'AGE', 'KIND', 'VERSION', 'SIZE', 'STATE', 'LABEL']],
    [80, ['ID', 'AGE', 'KIND', 'VERSION', 'SIZE', 'STATE', 'LABEL']],
    [60, ['ID', 'AGE', 'VERSION', 'SIZE', 'STATE']],
    [40, ['ID', 'AGE', 'SIZE', 'STATE']],
  ])('fits a terminal of %i columns', (width, titles) => {
    const [header = '', ...rows] = listText(aList(two), aScreen({ width })).split('\n').slice(0, 3)
    expect(header.split(/ +/)).toEqual(titles)
    const needed = width === 40 ? 44 : width
    for (const line of [header, ...rows]) expect(stringWidth(line)).toBeLessThanOrEqual(needed)
  })

  it('shows whole labels where there is no terminal', () => {
    expect(listText(aList(two), aScreen())).toContain(label)
  })

  it('lets no text of a record command the terminal', () => {
    const nasty = theBackup({ label: `a${commandsOfTerminals}\nb` })
    nasty.summary.server.version = commandsOfTerminals
    for (const width of [undefined, 200, 80]) {
      const text = listText(aList([nasty]), aScreen({ width }))
      expect(hasCommands(text)).toBe(false)
      expect(text.split('\n')).toHaveLength(5)
    }
  })

  it('paints the state, but no blanks into the width', () => {
    const used = theBackup({}, 'used')
    const text = listText(aList([used]), aScreen({ style: createStyle(true) }))
    expect(text).toContain('\u001b[33mused')
  })

  it('shows what is held, and proofs as soon as there is one', () => {
    const hold = { format: 1, since: '2026-11-20T03:05:00Z', reason: null } as const
    const held = theBackup({}, 'whole', { hold, proof: undefined })
    expect(listText(aList([held]), aScreen())).toMatch(/ STATE +LABEL\n.* whole, held\n/)
    const proven = theBackup({}, 'whole', { hold: undefined, proof: aProof() })
    expect(listText(aList([proven]), aScreen())).toMatch(
      / STATE {2}PROOF +LABEL\n.* whole {2}proven 2 days ago, ready in 0.9 s\n/,
    )
    const failed = theBackup({}, 'whole', { hold: undefined, proof: aProof({ ok: false }) })
    expect(listText(aList([failed]), aScreen({ style: createStyle(true) }))).toContain(
      '\u001b[31mfailed 2 days',
    )
    const strange = theBackup({}, 'whole', { hold: undefined, proof: 'unreadable' })
    expect(listText(aList([strange]), aScreen())).toMatch(/ whole {2}unreadable\n/)
  })

  it('of an empty root says where it looked, and what to do', () => {
    const text = listText(aList([]), aScreen())
    expect(text).toContain('No backups in /srv/pg')
    expect(text).toContain('\n  pgbk create -C /srv/pg\n')
    expect(text).toContain('-C DIR')
  })
})

describe('the list for programs', () => {
  it('is the records, with state and directory', () => {
    const rejected = [{ name: 'x', reason: 'why' }]
    const [backup] = two
    expect(listJson(aList(two.slice(0, 1), { rejected, free: undefined }))).toEqual({
      backups: [
        {
          ...backup?.raw,
          ...asFound({ size_bytes: 40_000_000 }),
          directory: '/srv/pg/data/backup/20261120T030000Z',
          window: windowJson(aWindow(backup as LocalBackup)),
        },
      ],
      rejected,
      root: '/srv/pg',
      free_bytes: null,
    })
  })
})

describe('the column of windows', () => {
  const [backup] = [theBackup()]
  const shown = (changes: Partial<BackupWindow>) => {
    const windows = new Map([[backup.id, aWindow(backup, changes)]])
    return listText(aList([backup], { windows }), aScreen())
  }

  it('is not there while no backup reaches beyond its snapshot', () =>
    expect(shown({})).not.toContain('WINDOW'))

  it('tells what the data are as of where a standby was behind', () => {
    const copied_at = '2026-11-17T03:00:00.123456Z'
    const stale = theBackup({ copied_at, standby: aStandby })
    const windows = new Map([[stale.id, aWindow(stale)]])
    expect(listText(aList([stale], { windows }), aScreen())).toContain('as of 2026-11-17 03:00:00 UTC')
  })

  it('tells how far a backup can be taken', () => {
    const to = '2026-11-20T03:10:00.123456Z'
    expect(shown({ to, ends_with: 'commit' })).toContain('to 2026-11-20 03:10:00 UTC')
    expect(shown({ to, ends_with: 'caught-up' })).toContain('to 2026-11-20 03:10:00 UTC')
    expect(shown({ to: '2026-11-20T03:14:58.1Z', ends_with: 'caught-up' })).toContain('to now')
  })

  it('marks what ends a window before its time', () => {
    const gap = { after: undefined, missing: 'x', next: undefined, reason: 'y' }
    const to = '2026-11-20T03:10:00.000Z'
    expect(shown({ to, ends_with: 'commit', gap })).toContain('to 2026-11-20 03:10:00 UTC, gap')
    expect(shown({ gap })).toMatch(/whole {2}gap/)
    expect(shown({ gap })).toContain(`\nWAL archive of ${backup.id}: broken at x: y\n`)
    expect(shown({ fault: 'no pg_waldump' })).toContain('unknown')
  })
})

describe('what is no whole backup', () => {
  it('is said as a warning, with the reason', () => {
    const said: string[] = []
    const rejected = [{ name: '20261120T030000Z', reason: 'it has no record' }]
    sayRejected(aList([], { rejected }), { ...silentProgress, warn: (text) => said.push(text) })
    expect(said).toEqual(['20261120T030000Z is not a whole backup: it has no record'])
  })

  it('counts what no backup is where there is much of it, and cuts what is said of it', () => {
    const said: string[] = []
    const rejected = Array.from({ length: 1000 }, (_, n) => ({ name: `${n}`, reason: 'x'.repeat(100_000) }))
    sayRejected(aList([], { rejected }), { ...silentProgress, warn: (text) => said.push(text) })
    expect(said).toHaveLength(21)
    expect(said.at(-1)).toBe('980 more are no whole backups; --json names all')
    expect(said.join('').length).toBeLessThan(20_000)
  })
})
