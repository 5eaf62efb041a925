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
import { makeDesk, removeDesk } from '../../src/wal-reading/make-waldump-directory.js'
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
function aDesk(mark: Partial<ProcessMark> | string = gone, name = 'pgbk-wal-aB3dE6'): string {
  const directory = join(place, name)
  mkdirSync(directory, { mode: 0o700 })
  const text = typeof mark === 'string' ? mark : JSON.stringify({ ...markOfThisProcess(), ...mark })
  if (text !== '') writeFileSync(join(directory, '.pgbk-desk.json'), text)
  writeFileSync(join(directory, '000000010000000000000001'), 'production')
  return directory
}

/** Whether it is still there, with what is in it, after another desk was made beside it. */
async function stays(desk: string): Promise<boolean> {
  await removeDesk(await makeDesk(place))
  return existsSync(join(desk, '000000010000000000000001'))
}

describe('a desk for WAL', () => {
  it("is its owner's alone, is marked, and goes as a whole", async () => {
    const desk = await makeDesk(place)
    expect(JSON.parse(readFileSync(join(desk, '.pgbk-desk.json'), 'utf8'))).toEqual(markOfThisProcess())
    writeFileSync(join(desk, '000000010000000000000001'), '')
    await removeDesk(desk)
    expect(readdirSync(place)).toEqual([])
  })

  it('is swept after its process was killed', async () => {
    const module = fileURLToPath(new URL('../../dist/wal-reading/make-waldump-directory.js', import.meta.url))
    const script = `import { makeDesk } from ${JSON.stringify(module)}
      await makeDesk(process.argv[1]); setInterval(() => {}, 1000)`
    const child = execa(process.execPath, ['--input-type=module', '-e', script, place], { reject: false })
    await until('it has made its desk', () => readdirSync(place).length > 0)
    const desk = join(place, readdirSync(place)[0] ?? '')
    await until('it is marked', () => existsSync(join(desk, '.pgbk-desk.json')))
    writeFileSync(join(desk, '000000010000000000000001'), '')
    expect(await stays(desk)).toBe(true)
    child.kill('SIGKILL')
    await child
    expect(await stays(desk)).toBe(false)
    expect(readdirSync(place)).toEqual([])
  })

  it('is swept without following its links', async () => {
    const archive = aDirectory()
    writeFileSync(join(archive, 'segment'), '')
    const desk = aDesk()
    symlinkSync(join(archive, 'segment'), join(desk, '000000010000000000000002'))
    symlinkSync(archive, join(desk, 'directory'))
    expect(await stays(desk)).toBe(false)
    expect(existsSync(desk)).toBe(false)
    expect(readdirSync(archive)).toEqual(['segment'])
  })

  it.each<[string, Partial<ProcessMark> | string]>([
    ['whose process is at work', {}],
    ['of another container', { ...gone, pid_space: 'pid:[1] other' }],
    ['of a process of which it is not known where', { ...gone, pid_space: null }],
    ['without a marker', ''],
    ['with a marker that is not understood', '{"pgbk_pid": 1'],
  ])('stays %s', async (_, mark) => expect(await stays(aDesk(mark))).toBe(true))

  it('stays where others may write, by another name, or where the marker is a link or something lies deeper', async () => {
    const open = aDesk(gone, 'pgbk-wal-open00')
    chmodSync(open, 0o770)
    const linked = aDesk('', 'pgbk-wal-link00')
    symlinkSync(join(open, '.pgbk-desk.json'), join(linked, '.pgbk-desk.json'))
    const deep = aDesk(gone, 'pgbk-wal-deep00')
    mkdirSync(join(deep, 'more'))
    const other = aDesk(gone, 'pgbk-wal-mine')
    for (const desk of [open, linked, other]) expect(await stays(desk)).toBe(true)
    expect(existsSync(join(deep, 'more'))).toBe(true)
  })

  it('is not sought behind a link', async () => {
    const desk = aDesk()
    const elsewhere = join(aDirectory(), 'desk')
    renameSync(desk, elsewhere)
    symlinkSync(elsewhere, desk)
    expect(await stays(elsewhere)).toBe(true)
  })

  ifRoot('of another user stays, also for root', async () => {
    const desk = aDesk()
    chownSync(desk, ordinaryUser.uid, ordinaryUser.gid)
    expect(await stays(desk)).toBe(true)
  })

  it('needs a place that can be written to', async () => {
    const { code, hint } = await thrownBy(() => makeDesk(join(place, 'none')))
    expect({ code, hint }).toEqual({ code: 'failed', hint: expect.stringContaining('TMPDIR') })
  })
})
