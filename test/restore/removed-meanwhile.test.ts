import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { execaSync } from 'execa'
import { type LocalBackup, layoutOf, plainSnapshotOf } from '../../src/catalog/backup.js'
import { readCatalog } from '../../src/catalog/catalog.js'
import { backupLayout, type RootLayout } from '../../src/catalog/layout.js'
import type { Settings } from '../../src/config/load.js'
import { checkWanted } from '../../src/download/check-destination.js'
import { downloadArchive } from '../../src/download/download-archive.js'
import { fetchFiles } from '../../src/download/fetch-files.js'
import { openPlace } from '../../src/place/open-place.js'
import { type Progress, silentProgress } from '../../src/progress.js'
import { chooseBackup } from '../../src/recovery/choose-backup.js'
import { type OpenRules, openBackup } from '../../src/recovery/open-backup.js'
import { restore } from '../../src/restore/restore.js'
import { launchServer } from '../../src/run/launch-server.js'
import type { RunRequest } from '../../src/run/run-request.js'
import { startRun } from '../../src/run/start-run.js'
import { snapshotConf, snapshotHba, snapshotIdent } from '../../src/snapshot/conf/conf.js'
import { neededDirectories } from '../../src/snapshot/data-directories.js'
import { namesIn } from '../../src/system/paths/names-in.js'
import { walPool } from '../../src/wal-archive/wal-pool.js'
import { findWindows } from '../../src/wal-coverage/find-window.js'
import { aBackup, aContext, anEmptyRoot, aRecord, thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor } from '../helpers/programs.js'
import { anSshTo } from '../helpers/ssh.js'
import { isRoot, ordinaryUser } from '../helpers/users.js'

const id = '20261120T030000Z'
const isNotFound = {
  code: 'not-found',
  message: `backup ${id} was removed by another pgbk meanwhile`,
}

let root: RootLayout
let backup: LocalBackup

/** Of one empty file, as PostgreSQL writes it. */
function aManifest(): string {
  const text = `{ "PostgreSQL-Backup-Manifest-Version": 1,
"Files": [
{ "Path": "PG_VERSION", "Size": 0, "Last-Modified": "2026-11-20 03:00:00 GMT", "Checksum-Algorithm": "CRC32C", "Checksum": "00000000" }
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/3000028", "End-LSN": "0/3000100" }
],
`
  return `${text}"Manifest-Checksum": "${createHash('sha256').update(text).digest('hex')}"}\n`
}

/** A backup that is all there, as far as names and sizes tell. */
beforeEach(() => {
  root = anEmptyRoot()
  const server = { ...aRecord().server, version_num: anyMajor * 10_000 }
  const own = { server, tablespaces: [], extensions: [], preload_libraries: [] }
  const { data, conf, originalConf, readme } = aBackup(root, id, own)
  for (const name of neededDirectories) mkdirSync(join(data, name), { recursive: true })
  writeFileSync(join(data, 'backup_manifest'), aManifest())
  mkdirSync(originalConf, { recursive: true })
  const settings = {
    settings: {},
    customSettings: {},
    minimums: { track_commit_timestamp: 0 },
    inPlaceTablespaces: false,
  }
  const ofServer = { ...settings, id, major: anyMajor, walSegmentSize: 2 ** 24 }
  writeFileSync(join(conf, 'postgresql.conf'), snapshotConf(ofServer))
  writeFileSync(join(conf, 'pg_hba.conf'), snapshotHba)
  writeFileSync(join(conf, 'pg_ident.conf'), snapshotIdent)
  for (const file of [readme, join(data, 'PG_VERSION'), join(data, 'global/pg_control')])
    writeFileSync(file, '')
  if (isRoot) execaSync('chown', ['-R', `${ordinaryUser.uid}:${ordinaryUser.gid}`, root.root])
  ;[backup] = readCatalog(root.root).backups as [LocalBackup]
})

const begin = () => renameSync(layoutOf(backup).record, layoutOf(backup).marker)
const removeAll = () => rmSync(backup.directory, { recursive: true })
const removals: [string, () => void][] = [
  ['has only begun', begin],
  ['has ended', removeAll],
]

/** On which something happens when a text of this kind is told. */
function aContextThat(kind: 'step' | 'warn', text: RegExp, work: () => void) {
  const progress: Progress = { ...silentProgress, [kind]: (told: string) => text.test(told) && work() }
  return aContext({ progress, now: () => new Date() })
}

const runRequest = (own: Partial<RunRequest> = {}) =>
  ({
    backup: { ...backup, snapshot: plainSnapshotOf(backup).snapshot },
    ...{ root: root.root, workingCopy: 'copy', settings: {}, port: undefined },
    recovery: { recovery: undefined },
    ...own,
  }) as unknown as RunRequest

const settings = () =>
  ({
    root: root.root,
    bin_dir: undefined,
    run_as: 'postgres',
    stores: {},
    run: {},
    time_zone: 'UTC',
  }) as unknown as Settings

describe.each(removals)('of a backup whose removal %s', (_what, remove) => {
  it('nothing is started, and no run is left', async () => {
    remove()
    const start = () => launchServer(runRequest(), 1, aContext())
    expect(await thrownBy(start)).toMatchObject(isNotFound)
    expect(readdirSync(root.runs)).toEqual([])
  })

  it('no instance is made', async () => {
    const announce = () => {}
    const first = await restore(
      id,
      { name: 'one', start: false },
      { settings: settings(), context: aContext() },
      announce,
    )
    expect(first.instance?.name).toBe('one')
    const context = aContextThat('step', /^copying$/, remove)
    const again = () =>
      restore(id, { name: 'two', start: false }, { settings: settings(), context }, announce)
    expect(await thrownBy(again)).toMatchObject(isNotFound)
    expect(readdirSync(root.instances)).toEqual(['one'])
  })

  it('no data directory is filled', async () => {
    const pgdata = aDirectory()
    const context = aContextThat('step', /^copying$/, remove)
    const fill = () => restore(id, { pgdata }, { settings: settings(), context }, () => {})
    expect(await thrownBy(fill)).toMatchObject(isNotFound)
    expect(readdirSync(pgdata)).toEqual([])
    expect(namesIn(root.restores)).toEqual([])
  })

  it('no list of its files is taken for whole', async () => {
    const source = await openPlace(root.root, aContext(), { stores: {} })
    expect((await source.files(backup)).files).toContain('snapshot/data/PG_VERSION')
    remove()
    expect(await thrownBy(() => source.files(backup))).toMatchObject(isNotFound)
  })

  it('no list of its files on another host is taken for whole', async () => {
    const source = await openPlace(`host:${root.root}`, aContext({ env: anSshTo({}) }), { stores: {} })
    expect((await source.files(backup)).files).toContain('snapshot/data/PG_VERSION')
    remove()
    const message = `the backup is gone from ${root.root} on host`
    expect(await thrownBy(() => source.files(backup))).toMatchObject({ code: 'not-found', message })
  })
})

describe('a backup that is removed', () => {
  it('while its files are looked at is no damaged one', async () => {
    rmSync(join(aBackup(root, '20261121T030000Z').data, 'backup_label'))
    const context = aContextThat('warn', /^latest skips/, removeAll)
    const own = { zoneNeeded: false, mayBeOpened: true, mayMakeTablespaces: false, comparesMeanwhile: false }
    const rules: OpenRules = { ...own, fallback: { kind: 'snapshot' } }
    const open = () => openBackup(undefined, {}, rules, { settings: settings(), context })
    expect(await thrownBy(open)).toMatchObject(isNotFound)
  })

  it('while its WAL archive is looked at is no broken one', async () => {
    const catalog = readCatalog(root.root)
    const pool = walPool(catalog)
    const rest = { catalog, id, installations: [], mayBeOpened: false, pool, caughtUp: () => undefined }
    const choice = { ...rest, target: { point: { kind: 'latest' as const } } }
    removeAll()
    expect(await thrownBy(() => chooseBackup(choice, aContext()))).toMatchObject(isNotFound)
  })

  it('while it is copied for a run is not what cannot be copied', async () => {
    const context = aContextThat('step', /^copying the snapshot/, removeAll)
    expect(await thrownBy(() => startRun(runRequest(), context))).toMatchObject(isNotFound)
    expect(readdirSync(root.runs)).toEqual([])
  })

  it('while it is archived leaves no archive', async () => {
    const archive = join(aDirectory(), 'one.tar')
    const context = aContextThat('step', /^archiving/, removeAll)
    const write = () => downloadArchive(id, { from: root.root, archive }, { settings: settings(), context })
    expect(await thrownBy(write)).toMatchObject(isNotFound)
    expect(readdirSync(dirname(archive))).toEqual([])
  })

  it('while it is downloaded is not one that a source does not send', async () => {
    const source = await openPlace(root.root, aContext(), { stores: {} })
    const layout = backupLayout(aDirectory())
    const fetch = () =>
      fetchFiles(
        { source, backup, directory: { layout, isResumed: false }, noWal: false },
        aContext(),
        async () => removeAll(),
      )
    expect(await thrownBy(fetch)).toMatchObject(isNotFound)
  })

  it('before it is downloaded is no damaged one', async () => {
    const source = await openPlace(root.root, aContext(), { stores: {} })
    removeAll()
    expect(await thrownBy(() => checkWanted(backup, source, root.root, aContext()))).toMatchObject(isNotFound)
  })
})

it('has no window, where what is gone of its archive would be a gap', async () => {
  const windowOf = (one: LocalBackup) =>
    findWindows({ root: root.root }, readCatalog(root.root), aContext()).windowOf(one)
  expect(await windowOf(backup)).toMatchObject({ gap: undefined })
  rmSync(layoutOf(backup).wal, { recursive: true })
  expect(await windowOf(backup)).toMatchObject({ gap: { reason: 'it is missing' } })
  begin()
  expect(await windowOf(backup)).toBeUndefined()
})
