import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { execa } from 'execa'
import { markOfThisProcess, type ProcessMark } from '../../src/system/process/process-mark.js'
import { makeWaldumpDirectory, removeWaldumpDirectory } from '../../src/wal-reading/make-waldump-directory.js'
import { thrownBy } from '../catalog/samples.js'
import { aDirectory } from '../helpers/places.js'
import { until } from '../helpers/traces.js'
import { ifRoot, ordinaryUser } from '../helpers/users.js'

const gone: Partial<ProcessMark> = { pgbk_start_time: '1' }
let place: string
beforeEach(() => {
  place = aDirectory()
})

/** What a process leaves that is killed while it looks at WAL. */
function aWaldumpDirectory(mark: Partial<ProcessMark> | string = gone, name = 'pgbk-wal-aB3dE6'): string {
  const directory = join(place, name)
  mkdirSync(directory, { mode: 0o700 })
  const text = typeof mark === 'string' ? mark : JSON.stringify({ ...markOfThisProcess(), ...mark })
  if (text !== '') writeFileSync(join(directory, '.pgbk-desk.json'), text)
  writeFileSync(join(directory, '000000010000000000000001'), 'production')
  return directory
}

/** Whether it is still there, with what is in it, after another directory was made beside it. */
async function stays(waldump: string): Promise<boolean> {
  await removeWaldumpDirectory(await makeWaldumpDirectory(place))
  return existsSync(join(waldump, '000000010000000000000001'))
}

describe('a directory for pg_waldump', () => {
  it("is its owner's alone, is marked, and goes as a whole", async () => {
    const waldump = await makeWaldumpDirectory(place)
    expect(JSON.parse(readFileSync(join(waldump, '.pgbk-desk.json'), 'utf8'))).toEqual(markOfThisProcess())
    writeFileSync(join(waldump, '000000010000000000000001'), '')
    await removeWaldumpDirectory(waldump)
    expect(readdirSync(place)).toEqual([])
  })

  it('is swept after its process was killed', async () => {
    const module = fileURLToPath(new URL('../../dist/wal-reading/make-waldump-directory.js', import.meta.url))
    const script = `import { makeWaldumpDirectory } from ${JSON.stringify(module)}
      await makeWaldumpDirectory(process.argv[1]); setInterval(() => {}, 1000)`
    const child = execa(process.execPath, ['--input-type=module', '-e', script, place], { reject: false })
    await until('it has made its directory', () => readdirSync(place).length > 0)
    const waldump = join(place, readdirSync(place)[0] ?? '')
    await until('it is marked', () => existsSync(join(waldump, '.pgbk-desk.json')))
    writeFileSync(join(waldump, '000000010000000000000001'), '')
    expect(await stays(waldump)).toBe(true)
    child.kill('SIGKILL')
    await child
    expect(await stays(waldump)).toBe(false)
    expect(readdirSync(place)).toEqual([])
  })

  it('is swept without following its links', async () => {
    const archive = aDirectory()
    writeFileSync(join(archive, 'segment'), '')
    const waldump = aWaldumpDirectory()
    symlinkSync(join(archive, 'segment'), join(waldump, '000000010000000000000002'))
    symlinkSync(archive, join(waldump, 'directory'))
    expect(await stays(waldump)).toBe(false)
    expect(existsSync(waldump)).toBe(false)
    expect(readdirSync(archive)).toEqual(['segment'])
  })

  it.each<[string, Partial<ProcessMark> | string]>([
    ['whose process is at work', {}],
    ['of another container', { ...gone, pid_space: 'pid:[1] other' }],
    ['of a process of which it is not known where', { ...gone, pid_space: null }],
    ['without a marker', ''],
    ['with a marker that is not understood', '{"pgbk_pid": 1'],
  ])('stays %s', async (_, mark) => expect(await stays(aWaldumpDirectory(mark))).toBe(true))

  it('stays where others may write, by another name, or where the marker is a link or something lies deeper', async () => {
    const open = aWaldumpDirectory(gone, 'pgbk-wal-open00')
    chmodSync(open, 0o770)
    const linked = aWaldumpDirectory('', 'pgbk-wal-link00')
    symlinkSync(join(open, '.pgbk-desk.json'), join(linked, '.pgbk-desk.json'))
    const deep = aWaldumpDirectory(gone, 'pgbk-wal-deep00')
    mkdirSync(join(deep, 'more'))
    const other = aWaldumpDirectory(gone, 'pgbk-wal-mine')
    for (const waldump of [open, linked, other]) expect(await stays(waldump)).toBe(true)
    expect(existsSync(join(deep, 'more'))).toBe(true)
  })

  it('is not sought behind a link', async () => {
    const waldump = aWaldumpDirectory()
    const elsewhere = join(aDirectory(), 'elsewhere')
    renameSync(waldump, elsewhere)
    symlinkSync(elsewhere, waldump)
    expect(await stays(elsewhere)).toBe(true)
  })

  ifRoot('of another user stays, also for root', async () => {
    const waldump = aWaldumpDirectory()
    chownSync(waldump, ordinaryUser.uid, ordinaryUser.gid)
    expect(await stays(waldump)).toBe(true)
  })

  it('needs a place that can be written to', async () => {
    const { code, hint } = await thrownBy(() => makeWaldumpDirectory(join(place, 'none')))
    expect({ code, hint }).toEqual({ code: 'failed', hint: expect.stringContaining('TMPDIR') })
  })
})
