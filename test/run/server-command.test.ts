import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import type { ReadableBackup } from '../../src/catalog/backup.js'
import { backupLayout, runLayout } from '../../src/catalog/layout.js'
import type { Context } from '../../src/context.js'
import type { RecoveryInput } from '../../src/recovery/recovery-conf.js'
import type { RunRequest } from '../../src/run/run-request.js'
import { serverCommand } from '../../src/run/server-command.js'
import { snapshotConf } from '../../src/snapshot/conf/conf.js'
import { allSwitchedOff } from '../../src/start-up/dangerous-settings.js'
import { aRecord } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'

const recovery: RecoveryInput = {
  archives: [{ directory: '/srv/wal', from: 0n }],
  timeline: 1,
  stop: { lsn: '0/5000028', inclusive: true },
  lastSegment: 5n,
  segmentSize: 16 * 1024 * 1024,
  minimums: { max_connections: 300 },
  action: 'promote',
}

/** The words of the command line, and each setting as PostgreSQL takes it: the last one counts. */
async function commandOf(settings: Record<string, string> = {}, plan?: RecoveryInput) {
  const layout = backupLayout(aDirectory())
  const run = runLayout(aDirectory())
  mkdirSync(layout.conf, { recursive: true })
  const { id } = aRecord()
  const conf = {
    id,
    major: 15,
    settings: {},
    customSettings: {},
    walSegmentSize: 2 ** 24,
    inPlaceTablespaces: false,
    minimums: {},
  }
  writeFileSync(join(layout.conf, 'postgresql.conf'), snapshotConf(conf))
  const backup = { id, snapshot: layout.snapshot, raw: aRecord() } as ReadableBackup
  const programs = { bin: '/nowhere', postgres: '/nowhere/postgres' }
  const request = {
    backup,
    programs,
    settings,
    hasPort: true,
    recovery: { recovery: plan },
  } as unknown as RunRequest
  const context = { env: {}, signal: new AbortController().signal } as unknown as Context
  const words = await serverCommand(request, { layout: run } as never, 6543, context)
  const flags = words.flatMap((word, at) => (words[at - 1] === '-c' && word.includes('=') ? [word] : []))
  const taken = flags.map((flag) => /^([^=]*)=(.*)$/s.exec(flag) as RegExpExecArray)
  const last = Object.fromEntries(taken.map(([, name = '', value = '']) => [name.toLowerCase(), value]))
  return { words, run, last }
}

describe('the command line of a run’s server', () => {
  it('switches off all that is dangerous, whatever a file says', async () => {
    const { last, words, run } = await commandOf()
    expect(last).toMatchObject({ ...allSwitchedOff(15), listen_addresses: '127.0.0.1', fsync: 'off' })
    expect(last.external_pid_file).toBe(join(run.conf, 'server.pid'))
    expect(words[2]).toBe(
      'rm -f data/postgresql.auto.conf data/recovery.signal data/standby.signal && shift && exec "$@"',
    )
    expect(readdirSync(run.conf).sort()).toEqual(['pg_hba.conf', 'pg_ident.conf', 'postgresql.conf'])
  })

  it('says the caller’s own settings after pgbk’s, but leads to no other files', async () => {
    const { last, run } = await commandOf({
      Fsync: 'on',
      archive_mode: 'on',
      HBA_FILE: '/x',
      data_directory: '/x',
    })
    expect(last).toMatchObject({ fsync: 'on', archive_mode: 'on' })
    expect(last).toMatchObject({ hba_file: join(run.conf, 'pg_hba.conf'), data_directory: run.data })
  })

  it('says last how WAL is replayed', async () => {
    const { last, words } = await commandOf({ Restore_Command: 'x', max_connections: '1' }, recovery)
    expect(last.restore_command).toContain('/srv/wal')
    expect(last).toMatchObject({
      max_connections: '300',
      archive_mode: 'off',
      recovery_target_action: 'promote',
    })
    expect(words[2]).toContain(' && : >data/recovery.signal && {')
  })
})
