import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { instanceLayout, type RootLayout } from '../../../src/catalog/layout.js'
import type { InstanceRecord } from '../../../src/restore/instance/instance.js'
import type { ProcessMark } from '../../../src/system/process/process-mark.js'
import { atEnd } from '../../helpers/places.js'
import { anyMajor } from '../../helpers/programs.js'

/** A process of another container, as its marks show. */
export const elsewhere: ProcessMark = { pgbk_pid: 1, pgbk_start_time: '1', pid_space: 'pid:[1] another boot' }

/** One that has ended. */
export const gone: ProcessMark = { pgbk_pid: 0, pgbk_start_time: null, pid_space: null }

/** Lays an instance into a root: its record, and so much else as makes it one. @param name also that of a directory in progress. */
export function anInstance({ instances }: RootLayout, name: string, backup = '20261120T030000Z') {
  const layout = instanceLayout(join(instances, name))
  for (const directory of [layout.conf, layout.data]) mkdirSync(directory, { recursive: true })
  writeFileSync(layout.postgresqlConf, 'port = 5433\n')
  const record: InstanceRecord = {
    format: 1,
    name,
    backup,
    created_at: '2026-11-20T04:00:00.000Z',
    server_version: '15.18',
    major: anyMajor,
    role: 'focker',
    database: 'app',
  }
  writeFileSync(layout.record, JSON.stringify(record))
  return layout
}

/** A process that pgbk takes for the server of a data directory, with what its postmaster.pid says. */
export function aServerProcess(data: string, status: 'standby' | 'stopping'): void {
  const server = execa('sleep', ['60'], { cwd: data, reject: false })
  atEnd(async () => {
    server.kill()
    await server
  })
  const lines = [server.pid, data, 1, 5433, '/tmp', 'localhost', '1 2', status]
  writeFileSync(join(data, 'postmaster.pid'), `${lines.join('\n')}\n`)
}
