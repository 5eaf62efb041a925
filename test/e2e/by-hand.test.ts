import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { byReadme, targetLine } from '../helpers/by-readme.js'
import { aDirectory } from '../helpers/places.js'
import { oldestAndNewest, run } from '../helpers/programs.js'
import { aServer, type TestServer } from '../helpers/server.js'

/** The segments that the server has finished since the backup's archive ended. */
function laterSegments(server: TestServer, backup: MadeBackup, current: string): string[] {
  const last = readdirSync(join(backup.directory, 'wal')).sort().at(-1) ?? ''
  const names = readdirSync(join(server.data, 'pg_wal')).filter((name) => /^[0-9A-F]{24}$/.test(name))
  return names.filter((name) => name > last && name < current).sort()
}

describe.each(oldestAndNewest)('a moment after a backup of PostgreSQL %i', (major) => {
  let backup: MadeBackup
  let moment: string
  let segments: string[]
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({ major, settings: { wal_keep_size: '512MB' } })
    await server.sql("create table events (what text); insert into events values ('in the copy')")
    backup = await aBackupOf(server)
    const finishSegment = () => server.sql('select pg_switch_wal()')
    await server.sql("insert into events values ('after the copy')")
    await finishSegment()
    await server.sql("insert into events values ('just before')")
    moment = await server.sql('select clock_timestamp()')
    await server.sql("insert into events values ('too late')")
    await finishSegment()
    await server.sql("insert into events values ('far too late')")
    segments = laterSegments(server, backup, await server.sql('select pg_walfile_name(pg_current_wal_lsn())'))
  })

  /** The whole backup copied as its README says, with the later segments in its archive. */
  async function aCopyWithWal(): Promise<{ snapshot: string; wal: string }> {
    const place = join(aDirectory(), 'copy')
    await run(['cp', '-a', backup.directory, place])
    const wal = join(place, 'wal')
    for (const name of segments) await run(['cp', join(server.data, 'pg_wal', name), wal])
    return { snapshot: join(place, 'snapshot'), wal }
  }

  async function eventsAt(snapshot: string, line?: (readme: string) => string): Promise<string[]> {
    const copy = await byReadme(snapshot, major, line)
    const rows = await copy.psql('select what from events order by ctid')
    await copy.stop()
    return rows.split('\n')
  }

  it('is reached by the commands of the README', async () => {
    expect(segments.length).toBeGreaterThanOrEqual(2)
    const { snapshot } = await aCopyWithWal()
    await run(['touch', 'data/recovery.signal'], { cwd: snapshot })
    const events = await eventsAt(snapshot, targetLine(moment))
    expect(events).toEqual(['in the copy', 'after the copy', 'just before'])
  })

  it.each(['gzip', 'zstd'])('is reached with compressed segments: %s', async (program) => {
    const { snapshot, wal } = await aCopyWithWal()
    for (const name of readdirSync(wal))
      await run(['sh', '-c', `${program} -q ${name} && rm -f ${name}`], { cwd: wal })
    await run(['touch', 'data/recovery.signal'], { cwd: snapshot })
    const events = await eventsAt(snapshot, targetLine(moment))
    expect(events).toEqual(['in the copy', 'after the copy', 'just before'])
  })

  it('is reached with the WAL of a later backup, which is taken along by the line of the README', async () => {
    const { snapshot, wal } = await aCopyWithWal()
    const others = aDirectory()
    const later = join(others, '20991120T030000Z', 'wal')
    await run(['mkdir', '-p', later])
    for (const name of segments) await run(['mv', join(wal, name), later])
    await run(['gzip', join(later, segments[0] ?? '')])
    const readme = readFileSync(join(snapshot, 'README'), 'utf8')
    const line = /^ {2}(cp -n .*)$/m.exec(readme)?.[1] ?? ''
    await run(['/bin/sh', '-c', line.replace('BACKUPS', others)], { cwd: snapshot })
    await run(['touch', 'data/recovery.signal'], { cwd: snapshot })
    const events = await eventsAt(snapshot, targetLine(moment))
    expect(events).toEqual(['in the copy', 'after the copy', 'just before'])
  })

  it('is passed when no target is given: all the WAL that is there counts', async () => {
    const { snapshot } = await aCopyWithWal()
    await run(['touch', 'data/recovery.signal'], { cwd: snapshot })
    expect(await eventsAt(snapshot)).toEqual(['in the copy', 'after the copy', 'just before', 'too late'])
  })

  it('is not gone to without recovery.signal', async () => {
    const { snapshot } = await aCopyWithWal()
    expect(await eventsAt(snapshot)).toEqual(['in the copy'])
  })
})
