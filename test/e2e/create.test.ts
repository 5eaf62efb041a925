import { existsSync, readdirSync } from 'node:fs'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { runPgbk } from '../helpers/pgbk.js'
import { majors } from '../helpers/programs.js'
import {
  aRoot,
  aServer,
  fill,
  filledAnswer,
  filledRows,
  openSnapshot,
  type TestServer,
  verifies,
} from '../helpers/server.js'

describe.each(majors)('create on PostgreSQL %i', (major) => {
  let server: TestServer
  beforeAll(async () => {
    server = await aServer({ major })
    await fill(server)
  })

  it('makes a backup that verifies and that stock PostgreSQL opens', async () => {
    const root = await aRoot()
    const { status, stdout, stderr } = await runPgbk(['create', '-C', root, '--json', '--label', 'first'], {
      env: server.env,
    })
    expect({ status, stderr: stderr.includes('error') }).toEqual({ status: 0, stderr: false })
    const { backup } = JSON.parse(stdout)
    expect(readdirSync(`${root}/data/backup`).filter((name) => !name.startsWith('.'))).toEqual([backup.id])
    const snapshot = `${backup.directory}/snapshot`
    expect(await verifies(snapshot, major)).toBe(true)

    const copy = await openSnapshot(snapshot, major)
    expect(await copy.sql(filledRows, 'app')).toBe(filledAnswer)
    expect(await copy.sql('show archive_mode; show cluster_name')).toBe(`off\npgbk ${backup.id}`)
    await copy.stop()
  })

  it('comes compressed from a server that can', async () => {
    const root = await aRoot()
    const env = { ...server.env, PGBK_CREATE_WIRE: 'server-zstd' }
    const { status, stdout, stderr } = await runPgbk(['create', '-C', root, '--json', '-v'], { env })
    if (major < 15) {
      expect({ status, said: JSON.parse(stdout).error.message }).toEqual({
        status: 2,
        said: `create.wire is server-zstd, and PostgreSQL ${major} does not compress what it sends`,
      })
      expect(existsSync(`${root}/data`)).toBe(false)
      return
    }
    expect({ status, compressed: stderr.includes('--compress=server-zstd') }).toEqual({
      status: 0,
      compressed: true,
    })
    expect(await verifies(`${JSON.parse(stdout).backup.directory}/snapshot`, major)).toBe(true)
  })
})
