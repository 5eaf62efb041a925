import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { type Form, forms, inForms } from '../helpers/forms.js'
import { aReadyRun, localRun, nothing, remainsOf, startLocalRun } from '../helpers/local-run.js'
import { needs } from '../helpers/needs.js'
import { runPgbk, startPgbk } from '../helpers/pgbk.js'
import { aDirectory } from '../helpers/places.js'
import { serverRuns } from '../helpers/program-of-server.js'
import { anyMajor, run } from '../helpers/programs.js'
import { aServer } from '../helpers/server.js'
import { until } from '../helpers/traces.js'

const { describe, it } = needs('program ps')

let backups: Record<Form, MadeBackup>
beforeAll(async () => {
  backups = await inForms(await aBackupOf(await aServer({ major: anyMajor })))
})

const stopServer = serverRuns('kill -STOP $(head -1 postmaster.pid)')

/** Whatever wakes it. */
const stopServerAgainAndAgain = serverRuns(
  'p=$(head -1 postmaster.pid); (while kill -STOP $p; do sleep 0.05; done) </dev/null >/dev/null 2>&1 &',
)

/** Its own session, so that no answer comes. */
const stopSession = serverRuns('kill -STOP $PPID')

/** Without SIGKILL after 5 s, which execa's own kill would send. */
function signal(child: ReturnType<typeof startPgbk>, name: NodeJS.Signals): void {
  if (child.pid !== undefined) process.kill(child.pid, name)
}

needs('user namespaces').describe.each(forms)(
  'a run of a %s backup in a sandbox whose data has stopped its server',
  (form) => endsIt(form, []),
)

describe('a run without a sandbox whose data has stopped its server', () =>
  endsIt('plain', ['--sandbox', 'off']))

function endsIt(form: Form, args: string[]): void {
  it('ends some time after SIGTERM', async () => {
    const { child, sql } = await aReadyRun(backups[form].root, args)
    await sql(stopServer, 'postgres')
    signal(child, 'SIGTERM')
    expect((await child).exitCode).toBe(143)
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('ends at once by the second signal', async () => {
    const { child, sql } = await aReadyRun(backups[form].root, args)
    await sql(stopServer, 'postgres')
    signal(child, 'SIGTERM')
    signal(child, 'SIGINT')
    await child
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('is ended by instance stop', async () => {
    const { child, sql, name } = await aReadyRun(backups[form].root, ['--detach', ...args])
    await child
    await sql(stopServerAgainAndAgain, 'postgres')
    expect(await runPgbk(['instance', 'stop', name, '-C', backups[form].root])).toMatchObject({ status: 0 })
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })

  it('ends when COMMAND has', async () => {
    const words = ['psql', '-XAtqc', stopServer]
    const { status, stderr } = await localRun(backups[form].root, [...args, '--', ...words])
    expect([status, stderr]).toEqual([0, expect.anything()])
    expect(remainsOf(backups[form].root)).toEqual(nothing)
  })
}

describe('SQL that stops its own session', () => {
  /** Kills pgbk, when a process of these words has been stopped. */
  async function endedBySigterm(child: ReturnType<typeof startPgbk>) {
    await until('the session is stopped', async () => {
      const { stdout } = await run(['ps', '-eo', 'stat,args'])
      return child.exitCode !== null || /^T.*postgres: .*COPY/m.test(stdout)
    })
    signal(child, 'SIGTERM')
    const { exitCode } = await child
    expect(remainsOf(backups.plain.root)).toEqual(nothing)
    return exitCode
  }

  it('does not keep local-run --sql from SIGTERM', async () => {
    const file = join(aDirectory(), 'stop.sql')
    writeFileSync(file, stopSession, { mode: 0o644 })
    expect(await endedBySigterm(startLocalRun(backups.plain.root, ['--sql', file]))).toBe(143)
  })

  it('does not keep a proof from SIGTERM', async () => {
    const config = join(aDirectory(), 'config.yaml')
    const sql = [{ statement: stopSession, expect: 1 }]
    writeFileSync(config, JSON.stringify({ root: backups.plain.root, verify: { sql } }), { mode: 0o644 })
    const child = startPgbk(['verify', '--prove', '--config', config])
    expect(await endedBySigterm(child)).toBe(143)
  })
})
