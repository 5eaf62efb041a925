import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from '@jest/globals'
import { aBackupOf, type MadeBackup } from '../helpers/backup.js'
import { randomNumbers, roundsOf, seed } from '../helpers/chance.js'
import { grow } from '../helpers/copying.js'
import { type Form, forms, inForms } from '../helpers/forms.js'
import { ifMounts } from '../helpers/needs.js'
import { aDirectory } from '../helpers/places.js'
import { anyMajor, attempt, binOf, run } from '../helpers/programs.js'
import {
  archiveWal,
  ask,
  instancesIn,
  pgbkIn,
  restore,
  restored,
  startRestore,
  writeSegments,
} from '../helpers/restore.js'
import { aServer } from '../helpers/server.js'
import { killServersIn, serversIn } from '../helpers/servers-in.js'
import { aSmallDisk } from '../helpers/small-disk.js'
import { until } from '../helpers/traces.js'
import { isRoot } from '../helpers/users.js'

let backups: Record<Form, MadeBackup>
beforeAll(async () => {
  const server = await aServer({ major: anyMajor })
  await grow(server, 60)
  await run(['mkdir', join(server.directory, 'space')])
  await server.sql(`create tablespace fast location '${join(server.directory, 'space')}'`)
  await server.sql('create table held tablespace fast as select generate_series(1, 100) as n')
  const backup = await aBackupOf(server)
  await writeSegments(server, 4)
  await archiveWal(server, backup)
  await server.stop()
  backups = await inForms(backup)
})

const ways = ['SIGINT', 'SIGTERM', 'SIGKILL'] as const
const statuses = { SIGINT: 130, SIGTERM: 143, SIGKILL: undefined }

/** Ways to end, each with whether root has started it, its number and its ms; each signal once in three rounds. */
function momentsUpTo(limit: number, name: string) {
  return randomNumbers(roundsOf(3), limit, name).map(
    (ms, n): [(typeof ways)[number], boolean, number, number] => [
      ways[(n + 2) % 3] ?? 'SIGKILL',
      isRoot && n % 2 === 1,
      n,
      ms,
    ],
  )
}

/** A signal may come before pgbk listens to it, or after: then it ends node itself. */
const isExpected = (status: number | undefined, signal: (typeof ways)[number]) =>
  [0, statuses[signal], undefined].includes(status)

/** Sends a signal at some moment; the exit status, if it did not end by the signal itself. */
async function endAfter(child: ReturnType<typeof startRestore>, ms: number, signal: NodeJS.Signals) {
  await Promise.race([child, sleep(ms)])
  child.kill(signal)
  return (await child).exitCode
}

describe.each(forms)('a restore of an instance from a %s backup that ends at a random moment', (form) => {
  const moments = momentsUpTo(2500, 'restore')

  it.each(moments)(
    'by %s, as root: %s (moment %i of the seed), leaves whole instances or none',
    async (signal, asRoot, _, ms) => {
      const place = join(backups[form].root, 'data/instances')
      // What a kill has left goes with the next restore that gets so far.
      const hadRemains = remainsIn(place).length > 0
      const status = await endAfter(
        startRestore(backups[form].root, ['--name', 'cut'], { asRoot }),
        ms,
        signal,
      )
      expect({ seed, status, isExpected: isExpected(status, signal) }).toMatchObject({ isExpected: true })
      const [instance] = await instancesIn(backups[form].root)
      if (status !== undefined && status !== 0) expect(serversIn(place)).toEqual([])
      if (status !== undefined && !hadRemains) expect(remainsIn(place)).toEqual([])
      if (instance) {
        await until('it runs or is stopped', async () =>
          /running|stopped|not recovered/.test((await instancesIn(backups[form].root))[0]?.state ?? ''),
        )
        expect(await pgbkIn(backups[form].root, ['instance', 'start', 'cut'])).toMatchObject({ status: 0 })
        await isWhole(instance)
        expect(await pgbkIn(backups[form].root, ['instance', 'stop', 'cut'])).toMatchObject({ status: 0 })
        expect(await pgbkIn(backups[form].root, ['instance', 'delete', 'cut', '--yes'])).toMatchObject({
          status: 0,
        })
      }
      expect(serversIn(place)).toEqual([])
    },
  )

  it('and one after it starts over cleanly', async () => {
    await endAfter(startRestore(backups[form].root, ['--name', 'again']), 700, 'SIGKILL')
    await killServersIn(backups[form].root)
    await pgbkIn(backups[form].root, ['instance', 'delete', 'again', '--yes'], { alone: true })
    const made = await restored(backups[form].root, ['--name', 'again'], { alone: true })
    await isWhole(made)
    expect(readdirSync(join(backups[form].root, 'data/instances'))).toEqual(['again'])
    await pgbkIn(backups[form].root, ['instance', 'stop', 'again'])
  })
})

function remainsIn(place: string): string[] {
  return existsSync(place) ? readdirSync(place).filter((name) => name.startsWith('.')) : []
}

async function isWhole(server: { port: number; role: string }): Promise<void> {
  const rows = 'select count(*) from bulk; select count(*) from held; select max(n) from late'
  expect(await ask(server, rows)).toBe('38400\n100\n5')
}

describe.each(forms)('a restore of a %s backup into a directory that ends at a random moment', (form) => {
  const moments = momentsUpTo(1800, 'directory')

  it.each(moments)(
    'by %s, as root: %s (moment %i of the seed), cannot be started, and is repeated',
    async (signal, asRoot, _, ms) => {
      const place = aDirectory('pgbk-restored-')
      const [data, fast] = [join(place, 'main'), join(place, 'fast')]
      const location = backups[form].record.tablespaces[0]?.location
      const args = ['-D', data, '--tablespace-mapping', `${location}=${fast}`]
      const status = await endAfter(startRestore(backups[form].root, args, { asRoot }), ms, signal)
      expect({ seed, status, isExpected: isExpected(status, signal) }).toMatchObject({ isExpected: true })
      if (status !== undefined && status !== 0) {
        for (const directory of [data, fast]) {
          if (existsSync(directory)) expect(readdirSync(directory)).toEqual([])
        }
      }
      if (status !== 0) {
        if (!isFinished(data)) await cannotBeStarted(data)
        await isRepeated(args, data, asRoot)
      }
    },
  )

  /** It has its last file, or nothing says any more that a restore goes on. */
  function isFinished(data: string): boolean {
    return existsSync(join(data, 'global/pg_control'))
  }

  async function cannotBeStarted(data: string): Promise<void> {
    const log = join(data, '../log')
    const { status } = await attempt([`${binOf(anyMajor)}/pg_ctl`, '-D', data, '-l', log, '-w', 'start'], {
      stdout: 'ignore',
      stderr: 'ignore',
    })
    expect(status).not.toBe(0)
    await run(['sh', '-c', 'rm -f "$0"/postmaster.opts', data])
  }

  async function isRepeated(args: string[], data: string, asRoot: boolean): Promise<void> {
    const { status, stderr } = await restore(backups[form].root, args, { asRoot })
    // The kill may have come when all was done.
    expect({ status, isDone: status === 0 || stderr.includes('is not empty') }).toEqual({
      status,
      isDone: true,
    })
    expect(isFinished(data)).toBe(true)
    expect(readdirSync(data).filter((name) => name.startsWith('.pgbk'))).toEqual([])
  }
})

describe.each(forms)('a disk that fills up while a restore of a %s backup copies', (form) => {
  ifMounts('ends it, and has its room back', async () => {
    const disk = aSmallDisk(260, { files: 400 })
    const data = join(disk, 'main')
    const { status, stdout } = await restore(backups[form].root, ['-D', data, '--json'])
    const { code, message, hint } = JSON.parse(stdout).error
    expect({ status, code }).toEqual({ status: 1, code: 'disk-full' })
    expect(message).toContain(data)
    expect(message).toMatch(
      form === 'plain' ? /^cannot restore: the disk is full at / : /No space left on device/,
    )
    expect(hint).toContain('Make room there')
    expect(readdirSync(data)).toEqual([])
  })
})
